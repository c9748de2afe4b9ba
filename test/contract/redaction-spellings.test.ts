/** A secret is masked by what its name means, however the name, the value and the text around them are written. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { redactHeaders, redactText } from '../../src/lib/contract/secrets.ts';

interface Spellings {
  planted: string;
  texts: Record<string, string>;
  keep: string[];
  headers: string[];
}
const { planted, texts, keep, headers } = JSON.parse(
  readFileSync(new URL('../fixtures/redaction-spellings.json', import.meta.url), 'utf8'),
) as Spellings;
/** As it stands, or in the middle of base64. */
const LEFT = [
  planted.slice(2, -2),
  Buffer.from(`cid:${planted}`).toString('base64').slice(4, -6),
  '839201',
  '12345678901234',
];

describe('every spelling that was ever tried', () => {
  for (const [name, text] of Object.entries(texts))
    it(name, () => {
      const clean = redactText(text);
      for (const left of LEFT) assert.ok(!clean.includes(left), clean);
      assert.equal(redactText(clean), clean, 'a second pass changes nothing');
    });
  for (const text of keep) it(`stays: ${text.slice(0, 50)}`, () => assert.equal(redactText(text), text));
  for (const name of headers)
    it(`header ${name}`, () => {
      assert.ok(!JSON.stringify(redactHeaders({ [name]: planted })).includes(planted.slice(2, -2)));
      if (name !== 'Location' && name !== 'Link')
        assert.ok(!redactText(`${name}: ${planted}`).includes(planted.slice(2, -2)));
    });
});

/** Mixed, as generators of secrets write: no word of a sentence. */
const secret = fc
  .string({
    unit: fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_~.'),
    minLength: 12,
    maxLength: 48,
  })
  .filter((value) => /[A-Z].*\d|\d.*[A-Z]/.test(value) && /^[A-Za-z\d].*[A-Za-z\d]$/.test(value));

const words = fc.constantFrom(
  ['client', 'secret'],
  ['access', 'token'],
  ['refresh', 'token'],
  ['secret'],
  ['password'],
  ['api', 'key'],
  ['private', 'key'],
  ['session', 'id'],
  ['new', 'password'],
  ['webhook', 'secret'],
  ['encryption', 'key'],
  ['token', 'value'],
  ['credentials'],
  ['passphrase'],
  ['id', 'token'],
  ['authorization', 'code'],
  ['old', 'secrets'],
  ['partner', 'client', 'secret'],
);
const up = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const joined = fc.constantFrom<(words: readonly string[]) => string>(
  (parts) => parts.join('_'),
  (parts) => parts.join('-'),
  (parts) => parts.join('.'),
  (parts) => parts.map((word, at) => (at === 0 ? word : up(word))).join(''),
  (parts) => parts.map(up).join(''),
  (parts) => parts.join('_').toUpperCase(),
  (parts) => ['cc', ...parts].join('_').toUpperCase(),
  (parts) => parts.map(up).join('-'),
);

type Write = (text: string) => string;
const hex = (text: string, width: number): string => text.charCodeAt(0).toString(16).padStart(width, '0');
/** A letter or more of a name, written another way; `null`: only JSON reads this. */
const someLetters = (text: string, write: Write, at: number): string => {
  const place = at % text.length;
  return text.slice(0, place) + write(text.charAt(place)) + text.slice(place + 1);
};

type Carrier = (name: string, value: string, at: number) => string;
const carriers: Record<string, Carrier> = {
  json: (name, value) => JSON.stringify({ a: 1, [name]: value, b: [true] }),
  indented: (name, value) => JSON.stringify({ deep: [{ [name]: value }] }, null, 4),
  'escaped name': (name, value, at) => `{"${someLetters(name, (letter) => `\\u${hex(letter, 4)}`, at)}" :\n"${value}"}`,
  list: (name, value) => JSON.stringify({ [name]: ['x', value] }),
  object: (name, value) => JSON.stringify({ [name]: { note: '}"', value } }),
  'in a string': (name, value) => JSON.stringify({ body: JSON.stringify({ [name]: value, b: '"' }) }),
  'twice in a string': (name, value) =>
    JSON.stringify({ body: JSON.stringify({ b: JSON.stringify({ [name]: value }) }) }),
  'four times in a string': (name, value) =>
    JSON.stringify([JSON.stringify([JSON.stringify([JSON.stringify([JSON.stringify({ [name]: value })])])])]),
  'a form in a string': (name, value) => JSON.stringify({ body: `a=1&${name}=${value}&b=2` }),
  'cut off': (name, value) => JSON.stringify({ a: 1, [name]: value }).slice(0, -3),
  'broken before': (name, value) => `{"a": nope, "${name}": "${value}"}`,
  'lines of JSON': (name, value) => `{"a":1}\n{"${name}":"${value}"}\n{"b":2}`,
  'in a sentence': (name, value) => `the answer was {"${name}":"${value}"} after 3 ms`,
  'escaped in a sentence': (name, value) => `the answer was {\\"${name}\\":\\"${value}\\"} after 3 ms`,
  pair: (name, value) => JSON.stringify({ headers: [{ name, value }] }),
  'pair, turned round': (name, value) => JSON.stringify([{ value, note: 'x', name }]),
  form: (name, value) => `grant_type=x&${name}=${encodeURIComponent(value)}&scope=a`,
  'form, escaped name': (name, value, at) => `a=1&${someLetters(name, (letter) => `%${hex(letter, 2)}`, at)}=${value}`,
  'form, nested name': (name, value) => `user[${name}]=${value}`,
  query: (name, value) => `https://h/p?a=1&${name}=${value}#x`,
  'query, encoded': (name, value) => encodeURIComponent(`https://h/p?a=1&${name}=${value}&b=2`),
  'query, encoded twice': (name, value) => encodeURIComponent(encodeURIComponent(`https://h/?${name}=${value}&b=2`)),
  'JSON, encoded': (name, value) => encodeURIComponent(JSON.stringify({ [name]: value, b: 1 })),
  'JSON in HTML': (name, value) => JSON.stringify({ [name]: value }).replaceAll('"', '&quot;'),
  xml: (name, value) => `<r><${name}>${value}</${name}></r>`,
  'xml, named attribute': (name, value) => `<add key="${name}" value="${value}"/>`,
  'xml, attribute': (name, value) => `<r a="1" ${name}="${value}"/>`,
  'xml, with attributes': (name, value) => `<r><${name} type="x">${value}</${name}></r>`,
  'xml, CDATA': (name, value) => `<${name}><![CDATA[${value}<x>]]></${name}>`,
  'xml, elements': (name, value) => `<${name}><user>a</user><value>${value}</value></${name}>`,
  yaml: (name, value) => `host: h\n${name}: ${value}\nport: 1`,
  'yaml, quoted': (name, value) => `  ${name}: '${value}'`,
  toml: (name, value) => `[a]\n${name} = "${value}"`,
  shell: (name, value) => `export ${name}=${value}`,
  php: (name, value) => `['${name}' => '${value}']`,
  inspected: (name, value) => `{ '${name}': '${value}', b: 1 }`,
  go: (name, value) => `map[${name}:${value} b:1]`,
  graphql: (name, value) => `login(${name.replaceAll(/[.-]/g, '_')}: "${value}")`,
  'zero width': (name, value, at) => `${name.slice(0, at % name.length)}\u200b${name.slice(at % name.length)}=${value}`,
  'wide space': (name, value) => `"${name}"\u00a0:\u2003"${value}"`,
};

describe('a secret is masked in every carrier, by every spelling of its name', () => {
  for (const [what, carry] of Object.entries(carriers))
    it(what, () => {
      fc.assert(
        fc.property(words, joined, secret, fc.nat(), (name, join, value, at) => {
          const clean = redactText(carry(join(name), value, at));
          assert.ok(!clean.includes(value), clean);
          assert.ok(!clean.includes(encodeURIComponent(value)), clean);
          assert.equal(redactText(clean), clean, 'a second pass changes nothing');
        }),
        { numRuns: 150 },
      );
    });

  it('header lines and headers, by any name that says so', () => {
    const part = fc.constantFrom('Auth', 'Key', 'Session', 'Token', 'Secret', 'Cookie');
    const around = fc.constantFrom('X', 'My', 'Partner', 'Ocp', 'Functions', 'Id', 'V2', 'Amz');
    fc.assert(
      fc.property(around, part, around, secret, (before, word, behind, value) => {
        for (const name of [`${before}-${word}`, `${before}-${word}-${behind}`, `${before}-${word}`.toLowerCase()]) {
          assert.ok(!JSON.stringify(redactHeaders({ [name]: value })).includes(value), name);
          assert.ok(!redactText(`GET / HTTP/1.1\r\n${name}: ${value}\r\nHost: x`).includes(value), name);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('nothing but the masked values changes', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null));
  const open = fc.dictionary(fc.constantFrom('id', 'amount_pence', 'name', 'note', 'token_type', 'items'), leaf);

  it('in any JSON document', () => {
    fc.assert(
      fc.property(open, fc.constantFrom(0, 2), secret, (document, indent, value) => {
        const spaced = (last: unknown): string =>
          JSON.stringify({ ...document, client_secret: last, z: 1 }, null, indent);
        assert.equal(redactText(spaced(value)), redactText(spaced('[redacted]')));
        const parsed = JSON.parse(redactText(spaced(value))) as Record<string, unknown>;
        assert.equal(parsed['client_secret'], '[redacted]');
        assert.deepEqual(Object.keys(parsed), Object.keys(JSON.parse(spaced(value)) as object));
      }),
    );
  });

  it('numbers stay as they were sent', () => {
    const text = '{"a":9007199254740993,"b":1.0,"c":-0,"d":1E400,"client_secret":"x1","e":[0.10,\n  2e+3 ]}';
    assert.equal(redactText(text), text.replace('x1', '[redacted]'));
    const nested = JSON.stringify({ body: text, f: '\\u002f' });
    assert.equal(redactText(nested), nested.replace('x1', '[redacted]'));
  });
});

describe('a known secret is always masked', () => {
  const shaped = fc.oneof(
    secret.map((value) => `$${value}`),
    secret.map((value) => `\${${value}}`),
    secret.map((value) => `<${value}>`),
    secret.map((value) => `whsec_$${value}`),
    fc.constantFrom('$word12', '${word}', '<your key>', 'whsec_$word', '$CC_CLIENT_SECRET', '********', 'undefined1'),
  );
  const spell = fc.constantFrom<Write>(
    (value) => value,
    encodeURIComponent,
    (value) => encodeURIComponent(encodeURIComponent(value)),
    (value) => encodeURIComponent(value).toLowerCase(),
    (value) => JSON.stringify({ client_secret: value, note: value }),
    (value) => JSON.stringify(JSON.stringify({ note: value })),
    (value) => value.replace(/[$<{]/g, (sign) => `\\u${hex(sign, 4)}`),
    (value) => Buffer.from(value).toString('base64'),
    (value) => `Basic ${Buffer.from(`cid:${value}`).toString('base64')}`,
    (value) => `password=${value}`,
    (value) => `Authorization: Bearer ${value}`,
  );
  it('also where it looks like a placeholder', () => {
    fc.assert(
      fc.property(shaped, spell, (value, write) => {
        const written = write(value);
        const clean = redactText(`said ${written} here`, [value]);
        const bare = value.replace(/^whsec_/, '');
        assert.ok(!clean.includes(bare), clean);
        assert.ok(!Buffer.from(/[\w+/=]{12,}/.exec(clean)?.[0] ?? '', 'base64').includes(bare.slice(2, -2)), clean);
        assert.doesNotMatch(clean, /\$word|\{word\}|your key|CC_CLIENT/);
        assert.ok(!JSON.stringify(redactHeaders({ Authorization: value, 'x-note': written }, [value])).includes(bare));
      }),
      { numRuns: 600 },
    );
  });

  it("and a placeholder that is nobody's secret stays", () => {
    for (const text of [
      'client_secret=$CC_CLIENT_SECRET',
      'Authorization: Bearer ${CC_TOKEN}',
      '{"token":"<your token>"}',
    ])
      assert.equal(redactText(text), text);
  });
});
