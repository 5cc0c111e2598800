/** The name of an aggregator among the sources of a storage; `name` is the configured one. */
export function discoverySourceId(name: string): string {
  return `discovery:${name}`;
}

/** The name of a group of aggregators among the sources that workers share: one worker reads all of a group. */
export function discoveryGroupId(group: string): string {
  return `discovery-group:${group}`;
}
