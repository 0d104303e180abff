import type { ProjectRecord } from "../../store/records.ts";
import type { Principal } from "./principal.ts";

export interface ProjectsService {
  /** Without an entity the caller's own. Undefined when there is none that the caller may see. */
  get(principal: Principal, entityName: string | null | undefined, name: string): Promise<ProjectRecord | undefined>;
  byId(principal: Principal, id: string): Promise<ProjectRecord | undefined>;
  list(principal: Principal, entityName: string): Promise<readonly ProjectRecord[]>;
  /** Creates the project or changes what is given. */
  upsert(
    principal: Principal,
    input: {
      readonly entityName?: string | null;
      readonly name: string;
      readonly description?: string | null;
      readonly access?: string | null;
    },
  ): Promise<{ project: ProjectRecord; inserted: boolean }>;
}
