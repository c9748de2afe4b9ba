/** An esbuild plugin that puts other contents in the place of files of libraries. */
import type { Plugin } from 'esbuild';

export type StandIn = readonly [file: RegExp, contents: string];

/** The build fails where one of them matches no file: the library has moved what it stood for. */
export function standIns(all: readonly StandIn[]): Plugin {
  return {
    name: 'stand-ins',
    setup({ onLoad, onEnd }) {
      const unused = new Set(all);
      for (const standIn of all) {
        const [filter, contents] = standIn;
        onLoad({ filter }, () => {
          unused.delete(standIn);
          return { contents, loader: 'js' };
        });
      }
      onEnd(() => ({
        errors: [...unused].map(([file]) => ({ text: `the stand-in for ${file.source} matches no file` })),
      }));
    },
  };
}
