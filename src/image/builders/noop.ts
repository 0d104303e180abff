import { SlipwayError } from "../../core/errors/slipway-error.ts";
import type { ImageBuilder } from "./builder.ts";

/** The builder of an agent that runs prebuilt images only: it refuses code. Errors: BUILDER_REFUSES_CODE. */
export function createNoopBuilder(): ImageBuilder {
  return {
    async build() {
      throw new SlipwayError("BUILDER_REFUSES_CODE", { where: "builder.type" });
    },
  };
}
