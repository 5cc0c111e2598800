/** Starts what all test files share. Extended by the Postgres support. */
export default async function setup(): Promise<void> {}
