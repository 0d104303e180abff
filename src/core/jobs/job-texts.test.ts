import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json.ts";
import { inputTypeWarnings } from "./input-types.ts";
import { frozenVersions, installable } from "./job-requirements.ts";
import { notebookScript } from "./notebook.ts";

describe("inputTypeWarnings", () => {
  const dict = (type_map: JsonObject) => ({ wb_type: "typedDict", params: { type_map } });
  const number = { wb_type: "number" };
  const types = dict({
    lr: number,
    name: { wb_type: "string" },
    deep: dict({ on: { wb_type: "boolean" } }),
    sizes: { wb_type: "list", params: { element_type: number, length: 2 } },
    maybe: { wb_type: "union", params: { allowed_types: [{ wb_type: "none" }, number] } },
  });

  it("warns of other types and unknown names, never of what is left out", () => {
    const paths = (config: JsonObject) => inputTypeWarnings(types, config).map(({ path }) => path);
    expect(paths({})).toEqual([]);
    expect(paths({ lr: 1, name: "a", deep: { on: true }, sizes: [1], maybe: null, _wandb: {} })).toEqual([]);
    expect(paths({ lr: "1", deep: { on: 1 }, sizes: [1, "2"], nam: 1 })).toEqual([
      "overrides.run_config.lr",
      "overrides.run_config.deep.on",
      "overrides.run_config.sizes[1]",
      "overrides.run_config.nam",
    ]);
  });

  it("knows nothing of a job that was made by hand", () => {
    expect(inputTypeWarnings(dict({}), { a: 1 })).toEqual([]);
    expect(inputTypeWarnings(null, { a: 1 })).toEqual([]);
  });
});

describe("frozen requirements", () => {
  const frozen = `# made by pip\nnumpy==1.26.4\ntorch==2.1.0+cu121\n-e git+https://host.example/x#egg=x\nlocal @ file:///home/me/local\nwheel @ https://host.example/wheel.whl\n-r other.txt\n./here\nurllib3[secure]==2.0.0\n`;

  it("constrains by what is fixed by name", () => {
    expect(frozenVersions(frozen)).toEqual(["numpy==1.26.4", "torch==2.1.0+cu121"]);
  });

  it("installs what is not of another machine", () => {
    expect(installable(frozen)).toEqual([
      "numpy==1.26.4",
      "torch==2.1.0+cu121",
      "wheel @ https://host.example/wheel.whl",
      "urllib3[secure]==2.0.0",
    ]);
  });
});

describe("notebookScript", () => {
  const notebook = (cells: readonly object[]) => JSON.stringify({ nbformat: 4, cells });

  it("joins the Python of the code cells", () => {
    const text = notebook([
      { cell_type: "markdown", source: ["# Title"] },
      { cell_type: "code", source: ["!pip install x\n", "import os\n", "%matplotlib inline\n", "x = 7 % 2"] },
      { cell_type: "code", source: "%%bash\nrm -rf /" },
      { cell_type: "code", source: "%%time\nprint(x)" },
    ]);
    expect(notebookScript(text, "a.ipynb")).toBe("import os\nx = 7 % 2\n\nprint(x)\n");
  });

  it("refuses what is none", () => {
    expect(() => notebookScript("<html>", "a.ipynb")).toThrow("a.ipynb");
    expect(() => notebookScript('{"worksheets": []}', "a.ipynb")).toThrow("a.ipynb");
  });
});
