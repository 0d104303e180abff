import { expect, test } from "vitest";
import { redactRequest } from "./redact.ts";

test("values with a secret's name are masked, all else stays", () => {
  const request = {
    TrainingJobName: "a",
    Environment: {
      WANDB_API_KEY: "k",
      AWS_SECRET_ACCESS_KEY: "s",
      HF_TOKEN: "t",
      MAX_TOKENS: "512",
      WANDB_PROJECT: "p",
    },
    HyperParameters: { lr: "0.1", db_password: "x", tokenizer: "bpe" },
  };
  expect(redactRequest(request)).toEqual({
    TrainingJobName: "a",
    Environment: {
      WANDB_API_KEY: "***",
      AWS_SECRET_ACCESS_KEY: "***",
      HF_TOKEN: "***",
      MAX_TOKENS: "512",
      WANDB_PROJECT: "p",
    },
    HyperParameters: { lr: "0.1", db_password: "***", tokenizer: "bpe" },
  });
});
