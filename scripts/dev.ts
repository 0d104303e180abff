// Runs the command line from source: npm run dev -- up --data /tmp/try
import { run } from "../src/cli/main.ts";

await run(process.argv);
