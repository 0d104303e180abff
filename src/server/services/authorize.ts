import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { ItemRecord, MemberRole } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

const RANK: Readonly<Record<MemberRole, number>> = { VIEWER: 1, MEMBER: 2, ADMIN: 3 };

/** Nothing is allowed that one of these does not allow. A key that was made for one run passes none of them. */
function hasRole(principal: Principal, entityId: string, role: MemberRole): boolean {
  if (principal.run !== null) return false;
  if (principal.admin) return true;
  const own = principal.roles.get(entityId);
  return own !== undefined && RANK[own] >= RANK[role];
}

export function maySee(principal: Principal, entityId: string): boolean {
  return hasRole(principal, entityId, "VIEWER");
}

export function mayWrite(principal: Principal, entityId: string): boolean {
  return hasRole(principal, entityId, "MEMBER");
}

/** An item belongs to the owner of its queue and to the owner of its project. */
export function maySeeItem(principal: Principal, item: ItemRecord): boolean {
  return maySee(principal, item.queueEntityId) || maySee(principal, item.entityId);
}

export function mayChangeItem(principal: Principal, item: ItemRecord): boolean {
  return hasRole(principal, item.queueEntityId, "MEMBER") || hasRole(principal, item.entityId, "MEMBER");
}

export function requireRole(
  principal: Principal,
  entity: { readonly id: string; readonly name: string },
  role: MemberRole,
  what: string,
): void {
  refuseRunKey(principal);
  if (!hasRole(principal, entity.id, role))
    throw new SlipwayError("FORBIDDEN", { values: { who: principal.username, what, entity: entity.name } });
}

export function requireAdmin(principal: Principal, what: string): void {
  refuseRunKey(principal);
  if (!principal.admin)
    throw new SlipwayError("FORBIDDEN", { values: { who: principal.username, what, entity: "the server" } });
}

export function refuseRunKey(principal: Principal): void {
  if (principal.run !== null) throw new SlipwayError("KEY_SCOPE");
}

/** The entities whose things the caller sees; null: all. */
export function visibleEntities(principal: Principal): readonly string[] | null {
  if (principal.run !== null) return [];
  return principal.admin ? null : [...principal.roles.keys()];
}
