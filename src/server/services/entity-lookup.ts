import type { Kysely } from "kysely";
import { SlipwayError } from "../../core/errors/slipway-error.ts";
import { didYouMean } from "../../core/nearest.ts";
import { findEntity, listEntities } from "../../store/entities.ts";
import { findQueue, listQueues } from "../../store/queues.ts";
import type { EntityRecord, QueueRecord } from "../../store/records.ts";
import type { Tables } from "../../store/tables.ts";
import { maySee, refuseRunKey } from "./authorize.ts";
import type { Principal } from "./principal.ts";

/** The entity of a name (without one: the caller's own). ENTITY_NOT_FOUND, with the nearest name, also for one not to be seen. */
export async function visibleEntity(
  db: Kysely<Tables>,
  principal: Principal,
  name: string | null | undefined,
): Promise<EntityRecord> {
  refuseRunKey(principal);
  const entity = await findEntity(db, name ? { name } : { id: principal.entityId });
  if (entity && maySee(principal, entity.id)) return entity;
  const names = (await listEntities(db, [...principal.roles.keys()])).map((own) => own.name);
  throw new SlipwayError("ENTITY_NOT_FOUND", { values: { name: name ?? "" }, ...didYouMean(name ?? "", names) });
}

/** QUEUE_NOT_FOUND, with the nearest name, if the entity has none of the name. */
export async function queueNamed(
  db: Kysely<Tables>,
  principal: Principal,
  entityName: string,
  name: string,
): Promise<QueueRecord> {
  const entity = await visibleEntity(db, principal, entityName);
  const queue = await findQueue(db, { entityId: entity.id, name });
  if (queue) return queue;
  const names = (await listQueues(db, { entityId: entity.id })).map((own) => own.name);
  throw new SlipwayError("QUEUE_NOT_FOUND", { values: { name, entity: entity.name }, ...didYouMean(name, names) });
}

export async function queueById(db: Kysely<Tables>, principal: Principal, id: string): Promise<QueueRecord> {
  refuseRunKey(principal);
  const queue = await findQueue(db, { id });
  if (queue && maySee(principal, queue.entityId)) return queue;
  throw new SlipwayError("QUEUE_NOT_FOUND", { values: { name: id, entity: "any entity that you may see" } });
}
