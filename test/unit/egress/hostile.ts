/** Forms in which an address inside is written as if it were outside. `PORT` stands for the port of the listener that must hear nothing. */
export const HOSTILE: readonly (readonly [form: string, url: string])[] = [
  // IPv4, plainly inside
  ['loopback', 'https://127.0.0.1:PORT/'], ['loopback, elsewhere in the block', 'https://127.8.9.1:PORT/'], ['loopback, last', 'https://127.255.255.254:PORT/'],
  ['this host', 'https://0.0.0.0:PORT/'], ['this network', 'https://0.1.2.3:PORT/'],
  ['private 10', 'https://10.0.0.1:PORT/'], ['private 172.16', 'https://172.16.0.1:PORT/'], ['private 172.31', 'https://172.31.255.255:PORT/'], ['private 192.168', 'https://192.168.1.1:PORT/'],
  ['carrier NAT', 'https://100.64.0.1:PORT/'], ['metadata behind carrier NAT', 'https://100.100.100.200:PORT/'],
  ['link-local', 'https://169.254.1.1:PORT/'], ['metadata', 'https://169.254.169.254:PORT/latest/meta-data/'], ['metadata for tasks', 'https://169.254.170.2:PORT/v2/credentials'],
  ['host agent on a public address', 'https://168.63.129.16:PORT/'], ['metadata in a reserved block', 'https://192.0.0.192:PORT/'],
  ['documentation', 'https://192.0.2.1:PORT/'], ['documentation 2', 'https://198.51.100.1:PORT/'], ['documentation 3', 'https://203.0.113.1:PORT/'],
  ['benchmarking', 'https://198.18.0.1:PORT/'], ['6to4 relay', 'https://192.88.99.1:PORT/'],
  ['multicast', 'https://224.0.0.1:PORT/'], ['reserved', 'https://240.0.0.1:PORT/'], ['broadcast', 'https://255.255.255.255:PORT/'],
  // IPv4, disguised
  ['decimal', 'https://2130706433:PORT/'], ['hexadecimal', 'https://0x7f000001:PORT/'], ['octal', 'https://017700000001:PORT/'],
  ['octal part', 'https://0177.0.0.1:PORT/'], ['hexadecimal part', 'https://0x7f.0.0.1:PORT/'], ['mixed parts', 'https://0x7f.0.01:PORT/'],
  ['two parts', 'https://127.1:PORT/'], ['three parts', 'https://127.0.1:PORT/'], ['leading zeros', 'https://127.000.000.001:PORT/'], ['trailing dot', 'https://127.0.0.1.:PORT/'],
  ['percent-encoded', 'https://%31%32%37.0.0.1:PORT/'], ['percent-encoded dot', 'https://127%2e0.0.1:PORT/'], ['full-width digits', 'https://１２７.0.0.1:PORT/'],
  ['circled digits', 'https://①②⑦.⓪.⓪.①:PORT/'], ['ideographic dots', 'https://127。0。0。1:PORT/'], ['soft hyphen', 'https://127.0.0\u00AD.1:PORT/'],
  ['zero by itself', 'https://0:PORT/'], ['metadata, decimal', 'https://2852039166:PORT/'], ['metadata, octal', 'https://0251.0376.0251.0376:PORT/'],
  // IPv6
  ['IPv6 loopback', 'https://[::1]:PORT/'], ['IPv6 loopback, long', 'https://[0:0:0:0:0:0:0:1]:PORT/'], ['IPv6 unspecified', 'https://[::]:PORT/'],
  ['mapped', 'https://[::ffff:127.0.0.1]:PORT/'], ['mapped, hexadecimal', 'https://[::ffff:7f00:1]:PORT/'], ['mapped, long', 'https://[0:0:0:0:0:ffff:7f00:0001]:PORT/'],
  ['compatible', 'https://[::127.0.0.1]:PORT/'], ['translated', 'https://[::ffff:0:127.0.0.1]:PORT/'], ['NAT64', 'https://[64:ff9b::127.0.0.1]:PORT/'], ['local NAT64', 'https://[64:ff9b:1::7f00:1]:PORT/'],
  ['6to4', 'https://[2002:7f00:1::]:PORT/'], ['Teredo', 'https://[2001:0:7f00:1::]:PORT/'], ['link-local IPv6', 'https://[fe80::1]:PORT/'], ['with a zone', 'https://[fe80::1%25lo]:PORT/'],
  ['unique local', 'https://[fd00::1]:PORT/'], ['metadata, IPv6', 'https://[fd00:ec2::254]:PORT/'], ['site-local', 'https://[fec0::1]:PORT/'], ['multicast IPv6', 'https://[ff02::1]:PORT/'],
  ['discard', 'https://[100::1]:PORT/'], ['documentation IPv6', 'https://[2001:db8::1]:PORT/'], ['new documentation IPv6', 'https://[3fff::1]:PORT/'], ['segment routing', 'https://[5f00::1]:PORT/'], ['not routed', 'https://[4000::1]:PORT/'],
  // names
  ['localhost', 'https://localhost:PORT/'], ['LOCALHOST', 'https://LOCALHOST:PORT/'], ['localhost with a dot', 'https://localhost.:PORT/'], ['under localhost', 'https://a.localhost:PORT/'],
  ['localdomain', 'https://localhost.localdomain:PORT/'], ['metadata by name', 'https://metadata.google.internal:PORT/'], ['a single label', 'https://metadata:PORT/'], ['mDNS', 'https://printer.local:PORT/'],
  ['a name that resolves inside', 'https://inside.example.com:PORT/'], ['a name that resolves to both', 'https://both.example.com:PORT/'], ['a name that resolves to mapped', 'https://mapped.example.com:PORT/'],
  ['a name that resolves to nonsense', 'https://nonsense.example.com:PORT/'], ['an unknown name', 'https://unknown.example.com:PORT/'], ['a name without address', 'https://empty.example.com:PORT/'],
  ['an underscore of dots', 'https://a..example.com:PORT/'], ['a numeric top domain', 'https://example.1x:PORT/?'.replace('1x', '1')],
  // the URL around it
  ['plain http', 'http://127.0.0.1:PORT/'], ['plain http to a public name', 'http://public.example.com:PORT/'], ['ftp', 'ftp://public.example.com:PORT/'], ['file', 'file:///etc/passwd'], ['data', 'data:text/plain,hello'],
  ['gopher', 'gopher://127.0.0.1:PORT/_'], ['unix socket', 'unix:/var/run/docker.sock'], ['javascript', 'javascript:alert(1)'], ['websocket', 'wss://public.example.com:PORT/'],
  ['user before the host', 'https://public.example.com@127.0.0.1:PORT/'], ['password before the host', 'https://a:b@127.0.0.1:PORT/'], ['empty user', 'https://@127.0.0.1:PORT/'],
  ['backslash', 'https://public.example.com\\@127.0.0.1:PORT/'], ['backslashes', 'https:\\\\127.0.0.1:PORT/'], ['fragment', 'https://127.0.0.1:PORT#@public.example.com/'], ['fragment on a public name', 'https://public.example.com:PORT/#x'],
  ['tab inside', 'https://127.0.\t0.1:PORT/'], ['line end inside', 'https://127.0.0.1:PORT/\r\nX-Injected: 1'], ['leading space', ' https://127.0.0.1:PORT/'], ['null byte', 'https://127.0.0.1\0.example.com:PORT/'],
  ['no slashes', 'https:127.0.0.1:PORT/'], ['one slash', 'https:/127.0.0.1:PORT/'], ['three slashes', 'https:///127.0.0.1:PORT/'], ['no scheme', '//127.0.0.1:PORT/'], ['relative', '/hook'], ['empty', ''],
  ['ssh port', 'https://public.example.com:22/'], ['http port', 'https://public.example.com:80/'], ['port zero', 'https://public.example.com:0/'], ['port out of range', 'https://public.example.com:65536/'], ['port with sign', 'https://public.example.com:-1/'],
  ['too long', `https://public.example.com:PORT/${'a'.repeat(2000)}`],
];

/** What the resolver of the tests answers. 93.184.215.14 stands for a public address. */
export const NAMES: Readonly<Record<string, readonly string[]>> = {
  'public.example.com': ['93.184.215.14'],
  'inside.example.com': ['127.0.0.1'],
  'both.example.com': ['93.184.215.14', '127.0.0.1'],
  'mapped.example.com': ['::ffff:127.0.0.1'],
  'nonsense.example.com': ['not an address'],
  'empty.example.com': [],
  localhost: ['127.0.0.1', '::1'],
};
