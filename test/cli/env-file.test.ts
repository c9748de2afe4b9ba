import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { setVariable } from '../../src/lib/cli/webhooks/env-file.ts';

const NAME = 'CC_WEBHOOK_SECRET';

for (const [name, before, after] of [
  ['an empty file', '', `${NAME}=whsec_1\n`],
  ['a file without it', 'A=1\n', `A=1\n${NAME}=whsec_1\n`],
  ['a file without a final line end', 'A=1', `A=1\n${NAME}=whsec_1\n`],
  ['a file with it', `# top\n${NAME}=old # x\nB=2\n`, `# top\n${NAME}=whsec_1\nB=2\n`],
  ['an export with spaces', `  export ${NAME} = "old"\nB=2`, `  export ${NAME} = whsec_1\nB=2`],
  ['Windows line ends', `A=1\r\n${NAME}=old\r\nB=2\r\n`, `A=1\r\n${NAME}=whsec_1\r\nB=2\r\n`],
  ['Windows line ends without it', 'A=1\r\n', `A=1\r\n${NAME}=whsec_1\r\n`],
  ['it twice', `${NAME}=a\n${NAME}=b\n`, `${NAME}=whsec_1\n${NAME}=whsec_1\n`],
  [
    'names that contain it, and a comment',
    `MY_${NAME}=a\n${NAME}_2=b\n#${NAME}=c\n`,
    `MY_${NAME}=a\n${NAME}_2=b\n#${NAME}=c\n${NAME}=whsec_1\n`,
  ],
] as const) {
  test(`${name}`, () => assert.equal(setVariable(before, NAME, 'whsec_1'), after));
}

test('a value that needs quotes gets them', () => {
  assert.equal(setVariable('', 'A', 'a b$c'), "A='a b$c'\n");
  assert.equal(setVariable('', 'A', `it's "$x"`), 'A="it\'s \\"\\$x\\""\n');
});

test('every other line keeps every byte', () => {
  const line = fc.string({ unit: fc.constantFrom('a', '=', ' ', '#', '"', '$', 'é', 'A_B') });
  fc.assert(
    fc.property(fc.array(line), fc.array(line), (before, after) => {
      const text = [...before, `${NAME}=old`, ...after].join('\n');
      assert.equal(setVariable(text, NAME, '$&'), [...before, `${NAME}='$&'`, ...after].join('\n'));
    }),
  );
});
