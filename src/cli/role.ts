/** What a process does: fill the storage, answer from it, or both. */
export type Role = 'both' | 'worker' | 'api';
