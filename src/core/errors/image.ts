import type { ErrorEntry } from "./registry.ts";

/** Why an image could not be made, found or pushed. */
export const IMAGE_ERRORS = {
  IMAGE_NOT_FOUND: {
    status: 404,
    exit: 3,
    message: "The image {image} does not exist",
    hint: "Push it to the registry first, or correct its name and tag.",
  },
} as const satisfies Record<string, ErrorEntry>;
