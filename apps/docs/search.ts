/** How the site's search ranks what it finds: the options of MiniSearch, which VitePress's search box passes on. */
export const searchOptions = {
  fuzzy: 0.2,
  prefix: true,
  boost: { title: 4, text: 2, titles: 1 },
  /** Guides come before the API reference, which names everything. A flag is explained in the long table of flags. */
  boostDocument(id: string): number {
    return id.includes("/api/") ? 0.5 : id.includes("/options") ? 2 : 1;
  },
} as const;
