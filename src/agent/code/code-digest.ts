import { createHash } from "node:crypto";
import { Transform } from "node:stream";
import { SlipwayError } from "../../core/errors/slipway-error.ts";

/** Passes bytes through and fails at their end if their digest is not `sha256:<64 hex>` as it should be. */
export function checkArchive(digest: string): Transform {
  const hash = createHash("sha256");
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      hash.update(chunk);
      callback(null, chunk);
    },
    flush(callback) {
      const found = `sha256:${hash.digest("hex")}`;
      if (found === digest) return callback();
      const reason = `the code archive has digest ${found}, not ${digest}`;
      callback(new SlipwayError("AGENT_STEP_FAILED", { values: { step: "downloading the code", reason } }));
    },
  });
}
