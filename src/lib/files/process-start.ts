/** Tells a process from a later one with the same pid: by when it started, and in which boot of the machine. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * @param exists whether a process with this pid exists
 * @returns text that differs between processes that had the same pid; null when there is no such process, or it has ended and was not
 *   yet collected by its parent; empty when it exists and this system tells no more
 */
export function processStart(pid: number, platform: NodeJS.Platform, exists: (pid: number) => boolean): string | null {
  if (!exists(pid)) return null;
  try {
    if (platform === 'linux') return linuxStart(pid);
    if (platform === 'win32') return '';
    const started = execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], {
      env: { LC_ALL: 'C' },
      timeout: 2000,
    });
    return started.toString().trim();
  } catch {
    // It ended meanwhile, or this system hides the processes of others.
    return exists(pid) ? '' : null;
  }
}

/** proc(5): in `/proc/<pid>/stat` the state is the first and the start, in ticks since the boot, the 20th field after the name in brackets. */
function linuxStart(pid: number): string | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return `${boot} ${fields[19]}`;
}
