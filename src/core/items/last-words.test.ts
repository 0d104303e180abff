import { describe, expect, it } from "vitest";
import { lastWords } from "./last-words.ts";

describe("lastWords", () => {
  it("names the exception and the place in the person's own code", () => {
    const lines = [
      "epoch=1",
      "Traceback (most recent call last):",
      '  File "/opt/slipway/code/train.py", line 48, in <module>',
      "    main()",
      '  File "/opt/slipway/code/data.py", line 7, in load',
      "    return numpy.loadtxt(file)",
      '  File "/opt/slipway/deps/numpy/lib/npyio.py", line 1373, in loadtxt',
      "    raise ValueError",
      "ValueError: could not convert string to float 'n/a'",
      "",
    ];
    expect(lastWords(lines)).toBe("ValueError: could not convert string to float 'n/a' (data.py line 7)");
  });

  it("takes the last of several exceptions", () => {
    const lines = [
      "Traceback (most recent call last):",
      '  File "a.py", line 1, in f',
      "KeyError: 'x'",
      "",
      "During handling of the above exception, another exception occurred:",
      "",
      "Traceback (most recent call last):",
      '  File "a.py", line 3, in f',
      "torch.cuda.OutOfMemoryError: CUDA out of memory",
    ];
    expect(lastWords(lines)).toBe("torch.cuda.OutOfMemoryError: CUDA out of memory (a.py line 3)");
  });

  it("takes an exception whose traceback has scrolled away", () =>
    expect(lastWords(["RuntimeError"])).toBe("RuntimeError"));

  it("takes the last line where there is no exception", () => {
    expect(lastWords(["sh: train: not found", "", "  "])).toBe("sh: train: not found");
    expect(lastWords(["", " "])).toBeUndefined();
    expect(lastWords([])).toBeUndefined();
  });
});
