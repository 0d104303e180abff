/** A part of a list, and how to go on. */
export interface Page<T> {
  readonly nodes: readonly T[];
  /** Pass as `after` to go on; null when the page is empty. */
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
}

const PAGE = 50;

/** How many a page holds: `first`, from 1 to `most`; 50 where it is absent. */
export function pageSize(first: number | null | undefined, most: number): number {
  return Math.min(Math.max(first ?? PAGE, 1), most);
}
