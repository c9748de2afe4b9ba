/** What stands between a company's network and the API: a proxy that opens ways, and hosts that speak TLS. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';

/** A host `localhost` with a certificate of its own. @param folder where the certificate is put */
export async function tlsHost(folder: string, answer: RequestListener) {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...names], { stdio: 'ignore' });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    cert,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A company proxy: opens a tunnel to any requested host, until it is set to refuse. */
export async function connectProxy() {
  const asked: string[] = [];
  let refusing = false;
  const server = createHttpServer().on('connect', (request, near: Socket) => {
    if (refusing) return near.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const far = connect(Number(request.url?.split(':')[1]), '127.0.0.1');
    near.write('HTTP/1.1 200 OK\r\n\r\n');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    return near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, asked, refuse: () => (refusing = true), close: () => void server.close() };
}
