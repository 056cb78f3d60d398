import Type from "typebox";
import { problemWith } from "./messages.ts";

/**
 * What the user sees, as an accessibility tree in the wire's names: those of client-js 1.13, which sends 200 nodes at most,
 * 10 levels deep. Clients may add fields.
 */
export interface UISnapshot {
  readonly root: UINode;
  /** When, in ms since 1970 by the client's clock. */
  readonly captured_at: number;
  /** What the user has selected, where something is. */
  readonly selection?: UISelection | null;
}

/** An element of the page. */
export interface UINode {
  /** Names the element in a `uiCommand`: `e42`, and the same for as long as it is there. Empty for mere text. */
  readonly ref: string;
  /** Its ARIA role, or `text`, or `ellipsis` where something was left out. */
  readonly role: string;
  readonly name?: string | null;
  readonly value?: string | null;
  /** `focused`, `selected`, `expanded`, `checked`, `disabled`, `offscreen`, or the application's own. */
  readonly state?: readonly string[] | null;
  /** 1 to 6, of a heading. */
  readonly level?: number | null;
  readonly colcount?: number | null;
  readonly rowcount?: number | null;
  readonly children?: readonly UINode[] | null;
}

/** Selected text; the offsets count characters, and are there for text of inputs only. */
export interface UISelection {
  readonly ref: string;
  readonly text: string;
  readonly start_offset?: number | null;
  readonly end_offset?: number | null;
}

const text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const integer = Type.Optional(Type.Union([Type.Integer(), Type.Null()]));

const snapshot = Type.Object({
  root: Type.Object({}),
  captured_at: Type.Number(),
  selection: Type.Optional(
    Type.Union([
      Type.Object({ ref: Type.String(), text: Type.String(), start_offset: integer, end_offset: integer }),
      Type.Null(),
    ]),
  ),
});
const node = Type.Object({
  ref: Type.String(),
  role: Type.String(),
  name: text,
  value: text,
  state: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  level: integer,
  colcount: integer,
  rowcount: integer,
  children: Type.Optional(Type.Union([Type.Array(Type.Object({})), Type.Null()])),
});

/** What is wrong with a snapshot, naming the field; undefined when nothing is. A list of its own, for trees may be deeper than the stack. */
export function snapshotProblem(tree: unknown, name: string): string | undefined {
  const problem = problemWith(snapshot, tree, name);
  if (problem !== undefined) return problem;
  const open = [{ element: (tree as UISnapshot).root, name: `${name}.root` }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { element, name: path } = next;
    const wrong = problemWith(node, element, path);
    if (wrong !== undefined) return wrong;
    element.children?.forEach((child, index) => {
      open.push({ element: child, name: `${path}.children.${index}` });
    });
  }
  return undefined;
}
