import type { NodeReport } from "./directory.ts";

/** How many other nodes are asked to take a caller. */
const maxAsked = 3;

/**
 * Chooses the nodes to ask for a new session: each is the freer one of two random nodes. Always asking the freest node would send all
 * callers of a second to one node, because reports are up to a second old.
 *
 * `random` returns numbers like `Math.random`.
 */
export function chooseNodes(nodes: Iterable<NodeReport>, random: () => number = Math.random): readonly NodeReport[] {
  const rest = [...nodes].filter(({ state }) => state === "ready");
  const chosen: NodeReport[] = [];

  function draw(below: number): number {
    return Math.floor(random() * below);
  }

  while (chosen.length < maxAsked && rest.length > 0) {
    const first = draw(rest.length);
    // Another one, if there is one.
    const second = (first + 1 + draw(rest.length - 1)) % rest.length;
    const better = freePlaces(rest[first]) >= freePlaces(rest[second]) ? first : second;
    chosen.push(...rest.splice(better, 1));
  }
  return chosen;
}

/** A hint: only the node itself knows. */
export function freePlaces(node: NodeReport | undefined): number {
  if (!node) return 0;
  const { places, active, pending } = node;
  return places === null ? Number.POSITIVE_INFINITY : places - active - pending;
}
