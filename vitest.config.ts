import { defineConfig } from "vitest/config";

export default defineConfig({
  // graphql 16 has no exports map: vite would take its .mjs build and the libraries, which node loads, its .js one.
  resolve: { alias: [{ find: /^graphql$/, replacement: "graphql/index.js" }] },
  test: {
    pool: "forks",
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
    testTimeout: 60_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "scripts/**/*.test.ts", "test/house/**/*.test.ts"] },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          // Only against a hang: on a busy machine a client's test may take minutes, and how long is no assertion.
          testTimeout: 300_000,
          globalSetup: ["test/support/build.ts", "test/support/install-peers.ts"],
        },
      },
    ],
  },
});
