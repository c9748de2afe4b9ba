/** The battery's results as JUnit XML, the form build servers read. */
import type { CheckMoment } from './probe.ts';

/** @param name of the suite, such as the target. */
export function junit(name: string, checks: readonly CheckMoment[]): string {
  const failed = checks.filter((check) => check.verdict === 'failed').length;
  const skipped = checks.filter((check) => check.verdict === 'skipped').length;
  const seconds = (ms: number): string => (ms / 1000).toFixed(3);
  const total = checks.reduce((sum, check) => sum + check.latency_ms, 0);
  const cases = checks.map((check) => {
    const open = `    <testcase classname="${xml(`webhooks.${check.group}`)}" name="${xml(check.name)}" time="${seconds(check.latency_ms)}"`;
    if (check.verdict === 'passed') return `${open}/>`;
    const message = xml(check.explanation ?? '');
    const inner =
      check.verdict === 'skipped'
        ? `<skipped message="${message}"/>`
        : `<failure message="${message}">${xml(check.next ?? '')}</failure>`;
    return `${open}>${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="${xml(name)}" tests="${checks.length}" failures="${failed}" skipped="${skipped}" errors="0" time="${seconds(total)}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** Also drops what XML 1.0 cannot hold at all. */
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
