import { statfs } from 'node:fs/promises';
import { gauge, type Registry } from '../../../../core/metrics.js';

/** A directory of a storage, with its file system as it was last seen: bytes, or null where it could not be asked. */
interface Disk {
  readonly directory: string;
  seen: { readonly availableBytes: number; readonly sizeBytes: number } | null;
  isAsked: boolean;
}

const DISKS = new WeakMap<Registry, Map<string, Disk>>();

/**
 * Shows the file system of a storage's directory in the metrics. A scrape tells what the one before asked for: a file
 * system that hangs holds up none.
 */
export function showDisk(registry: Registry, storage: string, directory: string): void {
  const disks = DISKS.get(registry) ?? new Map<string, Disk>();
  DISKS.set(registry, disks);
  const disk: Disk = { directory, seen: null, isAsked: false };
  disks.set(storage, disk);
  void ask(disk);
  gauge(registry, {
    name: 'indexer_cold_disk_available_bytes',
    help: 'Bytes that a cold tier in a directory can still be given of its file system',
    labelNames: ['storage'],
    collect() {
      this.reset();
      for (const [name, { seen }] of disks) if (seen) this.set({ storage: name }, seen.availableBytes);
    },
  });
  gauge(registry, {
    name: 'indexer_cold_disk_size_bytes',
    help: 'Bytes of the file system of a cold tier in a directory',
    labelNames: ['storage'],
    collect() {
      this.reset();
      for (const [name, each] of disks) {
        if (each.seen) this.set({ storage: name }, each.seen.sizeBytes);
        void ask(each);
      }
    },
  });
}

/** Never rejects. */
async function ask(disk: Disk): Promise<void> {
  if (disk.isAsked) return;
  disk.isAsked = true;
  disk.seen = await statfs(disk.directory).then(
    // those of the administrator alone are not available
    ({ bsize, bavail, blocks }) => ({ availableBytes: bavail * bsize, sizeBytes: blocks * bsize }),
    () => null,
  );
  disk.isAsked = false;
}
