#include "detectors/node_scripts.hpp"

namespace whittle::detectors::node_scripts {

const char* take_node() {
  return R"js(// Copies a program without what no loader maps: symbols, debug information and the section table.
'use strict';
const fs = require('fs');
const [from, to] = process.argv.slice(2);
const program = fs.readFileSync(from);
const isWide = program[4] === 2 && program[5] === 1 && program.readUInt32BE(0) === 0x7f454c46;
if (!isWide) throw new Error(from + ' is no 64-bit ELF program');
const table = Number(program.readBigUInt64LE(0x20));
const size = program.readUInt16LE(0x36), count = program.readUInt16LE(0x38);
let end = table + size * count;
for (let i = 0; i < count; ++i) {
  const at = table + i * size;
  end = Math.max(end, Number(program.readBigUInt64LE(at + 8)) + Number(program.readBigUInt64LE(at + 32)));
}
program.writeBigUInt64LE(0n, 0x28);
program.fill(0, 0x3a, 0x40);
fs.writeFileSync(to, program.subarray(0, end), { mode: 0o755 });
)js";
}

const char* install_packages() {
  return R"js(// Installs from the cache, with install scripts, and takes out what the application loads in production: the packages
// that are reachable from its dependencies the way Node resolves them, without what no program reads.
'use strict';
const fs = require('fs'), path = require('path'), { spawnSync } = require('child_process');
const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
job.root = fs.realpathSync(job.root);
const read = file => JSON.parse(fs.readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
const isThere = file => fs.existsSync(file);

function install() {
  if (job.installed && isThere(path.join(job.root, job.installed))) return;
  const headers = path.dirname(path.dirname(process.execPath));
  const env = { ...process.env };
  if (isThere(path.join(headers, 'include/node/node.h'))) env.npm_config_nodedir = headers;
  const [program, ...words] = job.install;
  const ended = spawnSync(program, words, { cwd: job.root, env, stdio: 'inherit' });
  if (ended.error) throw ended.error;
  if (ended.status !== 0) {
    console.error('install scripts run without network; `network = ["install packages"]` under `[build]` gives it to them');
    process.exit(ended.status || 1);
  }
}

// The folder that `name` means in a file of `folder`; never above the root.
function resolve(folder, name) {
  for (let at = folder; ; at = path.dirname(at)) {
    const found = path.join(at, 'node_modules', name);
    if (path.basename(at) !== 'node_modules' && isThere(path.join(found, 'package.json'))) return found;
    if (at === job.root || at === path.dirname(at)) return null;
  }
}

function wanted(manifest) {
  const optional = manifest.peerDependenciesMeta || {};
  const peers = Object.keys(manifest.peerDependencies || {}).filter(name => !(optional[name] || {}).optional);
  return [...new Set([...Object.keys(manifest.dependencies || {}), ...Object.keys(manifest.optionalDependencies || {}), ...peers])];
}

const place = file => path.relative(job.root, file);
const isPackage = folder => place(folder).split(path.sep).includes('node_modules');

function reachable() {
  const packages = new Set(), links = new Map(), seen = new Set();
  const waiting = job.apps.map(app => path.join(job.root, app));
  while (waiting.length > 0) {
    const folder = waiting.pop();
    if (seen.has(folder)) continue;
    seen.add(folder);
    if (isPackage(folder)) packages.add(folder);
    for (const name of wanted(read(path.join(folder, 'package.json')))) {
      const found = resolve(folder, name);
      if (!found) continue;
      const real = fs.realpathSync(found);
      if (place(real).startsWith('..')) throw new Error(name + ' lies outside of the project: ' + real);
      if (real !== found) links.set(found, fs.readlinkSync(found));
      waiting.push(real);
    }
  }
  return { packages: [...packages].sort(), links };
}

const kAside = new Set(['test', 'tests', '__tests__', 'docs', 'example', 'examples', 'benchmark', 'benchmarks', 'bench',
  'coverage', '.github', '.vscode', '.circleci', '.nyc_output', '.idea']);
const kNotLoaded = /\.(?:map|md|markdown|flow|tsbuildinfo|c|cc|cpp|cxx|h|hh|hpp|o|a|gyp|gypi|mk)$|\.d\.[mc]?ts$/i;
const kNotLoadedNames = /^(?:\.npmignore|\.editorconfig|\.travis\.yml|\.eslint.*|\.prettier.*|\.nycrc.*|\.jshintrc|\.jscsrc|\.gitattributes|\.gitignore|makefile|gruntfile\.js|\.package-lock\.json|appveyor\.yml|authors.*|change(?:s|log).*|history)$/i;
const kLicence = /^(?:licen[cs]e|copying|notice)/i;
const kScript = /\.(?:js|cjs|mjs)$/;

// Folders beside the program that its own files or its manifest speak of stay.
function spokenOf(folder, names) {
  const texts = [];
  (function gather(at, depth) {
    for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && !(depth === 0 && names.has(entry.name))) gather(path.join(at, entry.name), depth + 1);
      } else if (entry.isFile() && (kScript.test(entry.name) || entry.name === 'package.json')) {
        const text = fs.readFileSync(path.join(at, entry.name), 'utf8');
        if (entry.name !== 'package.json') { texts.push(text); continue; }
        const { main, module, exports, imports, bin, browser } = JSON.parse(text);
        texts.push(JSON.stringify({ main, module, exports, imports, bin, browser }));
      }
    }
  })(folder, 0);
  return new Set([...names].filter(name => {
    const said = new RegExp('["\'`](?:\\.{0,2}/)*(?:[\\w.-]+/)*' + name.replace('.', '\\.') + '(?:/[^"\'`]*)?["\'`]');
    return texts.some(text => said.test(text));
  }));
}

const isForeign = name => {
  const parts = /^([a-z0-9]+)-([a-z0-9+]+)$/.exec(name);
  return parts !== null && (parts[1] !== 'linux' || !parts[2].split('+').includes(job.cpu));
};

function takePackage(folder) {
  const names = new Set(fs.readdirSync(folder).filter(name => kAside.has(name)));
  const kept = names.size > 0 ? spokenOf(folder, names) : names;
  const isTypeScript = path.basename(folder) === 'typescript';
  const isCompiled = isThere(path.join(folder, 'binding.gyp'));
  (function take(at, inside) {
    let entries = fs.readdirSync(at, { withFileTypes: true });
    const above = path.basename(at);
    for (const entry of entries) {
      const from = path.join(at, entry.name), below = inside ? inside + '/' + entry.name : entry.name;
      if (entry.isDirectory()) {
        if (entry.name === 'node_modules' || (!inside && names.has(entry.name) && !kept.has(entry.name))) continue;
        if (above === 'prebuilds' && isForeign(entry.name)) continue;
        take(from, below);
        continue;
      }
      if (!entry.isFile() || (entry.name === '.bin')) continue;
      const isSource = kNotLoaded.test(entry.name) || kNotLoadedNames.test(entry.name);
      if (isSource && !kLicence.test(entry.name) && !(isTypeScript && entry.name.endsWith('.ts'))) continue;
      if (isCompiled && below.startsWith('build/') && !/\.node$|\.so(?:\.|$)/.test(entry.name)) continue;
      if (above.startsWith('linux-') && entry.name.includes('musl') && entry.name.endsWith('.node')) continue;
      const to = path.join(job.to, place(from));
      fs.mkdirSync(path.dirname(to), { recursive: true });
      job.keeps ? fs.copyFileSync(from, to) : fs.renameSync(from, to);
    }
  })(folder, '');
}

function link(target, at) {
  fs.mkdirSync(path.dirname(at), { recursive: true });
  if (!fs.lstatSync(at, { throwIfNoEntry: false })) fs.symlinkSync(target, at);
}

// What a command line may begin with: links to scripts, whatever the package manager has put there.
function linkPrograms(app) {
  const folder = path.join(job.root, app), manifest = read(path.join(folder, 'package.json'));
  for (const name of wanted(manifest)) {
    const found = resolve(folder, name);
    if (!found) continue;
    const { bin } = read(path.join(found, 'package.json'));
    const programs = typeof bin === 'string' ? { [name.split('/').pop()]: bin } : bin || {};
    for (const [program, file] of Object.entries(programs)) {
      const at = path.join(folder, 'node_modules/.bin', path.basename(program));
      link(path.relative(path.dirname(at), path.join(found, file)), path.join(job.to, place(at)));
    }
  }
}

install();
for (const folder of job.folders) fs.mkdirSync(path.join(job.root, folder), { recursive: true });
if (job.to) {
  fs.mkdirSync(job.to, { recursive: true });
  const { packages, links } = reachable();
  for (const app of job.apps) linkPrograms(app);
  for (const [at, target] of links) {
    link(path.isAbsolute(target) ? path.relative(path.dirname(at), target) : target, path.join(job.to, place(at)));
  }
  for (const folder of packages) takePackage(folder);
}
)js";
}

const char* lay_out() {
  return R"js(// Lays out what the image has of the application itself: its folders without what only its developers need, or the
// folders that a framework has made to be shipped as they are.
'use strict';
const fs = require('fs'), path = require('path');
const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
job.root = fs.realpathSync(job.root);

const kFolders = new Set(['node_modules', '.git', '.hg', '.svn', '.github', '.vscode', '.idea', '.yarn', '.husky', '.circleci',
  'coverage', '.nyc_output', '.turbo', '.nx', '.cache', '.whittle']);
const kFoldersAtTop = new Set(['test', 'tests', '__tests__', 'e2e', 'cypress']);
const kFiles = /^(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|pnpm-workspace\.yaml|bun\.lockb?|bunfig\.toml|\.npmrc|\.yarnrc(?:\.yml)?|\.pnpmfile\.cjs|\.env(?:\..*)?|\.gitignore|\.gitattributes|\.dockerignore|\.whittleignore|whittle\.toml|Dockerfile.*|docker-compose.*|compose\.ya?ml|Procfile|\.editorconfig|\.eslint.*|eslint\.config\..*|\.prettier.*|prettier\.config\..*|\.nvmrc|\.node-version|\.tool-versions|mise\.toml|turbo\.json|nx\.json|lerna\.json|tsconfig.*\.json|jest\.config\..*|vitest\.config\..*|nodemon\.json|renovate\.json|readme.*|changelog.*|contributing.*|\.ds_store)$/i;
const kNotLoaded = /\.(?:map|tsbuildinfo)$|\.d\.[mc]?ts$|\.(?:test|spec)\.[mc]?[jt]sx?$/;
const kTypeScript = /\.[mc]?tsx?$/;

// One pattern of an ignore file: https://docs.docker.com/build/concepts/context/#dockerignore-files
function expression(pattern) {
  let text = '';
  for (let i = 0; i < pattern.length; ++i) {
    const c = pattern[i];
    if (c === '*' && pattern[i + 1] === '*') {
      i += 1;
      if (pattern[i + 1] === '/') { i += 1; text += '(?:.*/)?'; } else text += '.*';
    } else if (c === '*') text += '[^/]*';
    else if (c === '?') text += '[^/]';
    else if (c === '[' && pattern.indexOf(']', i) > i) {
      const end = pattern.indexOf(']', i);
      text += pattern.slice(i, end + 1);
      i = end;
    } else if (c === '\\' && i + 1 < pattern.length) text += '\\' + pattern[++i];
    else text += c.replace(/[.+^${}()|\\]/g, '\\$&');
  }
  return new RegExp('^' + text + '(?:/.*)?$');
}

const ignored = job.ignore.map(raw => {
  const takesBack = raw.startsWith('!');
  const pattern = path.posix.normalize((takesBack ? raw.slice(1) : raw).trim()).replace(/^\/+|\/+$/g, '');
  return { takesBack, expression: expression(pattern) };
});
const isIgnored = file => ignored.reduce((is, one) => (one.expression.test(file) ? !one.takesBack : is), false);

function copy(from, to, depth, part) {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name), target = path.join(to, entry.name);
    const isAside = !part.whole && (entry.isDirectory()
      ? kFolders.has(entry.name) || (depth === 0 && kFoldersAtTop.has(entry.name))
      : (depth === 0 && kFiles.test(entry.name)) || kNotLoaded.test(entry.name) || (job.compiled && kTypeScript.test(entry.name)));
    if (isAside || (part.without || []).includes(path.relative(job.root, source))) continue;
    if (entry.isDirectory()) copy(source, target, depth + 1, part);
    else if (part.whole || !isIgnored(path.relative(job.root, source))) {
      fs.mkdirSync(to, { recursive: true });
      if (entry.isSymbolicLink()) fs.symlinkSync(fs.readlinkSync(source), target);
      else if (entry.isFile()) fs.copyFileSync(source, target);
    }
  }
}

for (const part of job.parts) {
  const from = path.join(job.root, part.from), to = path.join(job.work, part.to);
  fs.mkdirSync(path.join(job.work, part.to.split('/')[0]), { recursive: true });
  if (!fs.existsSync(from)) {
    if (part.optional) continue;
    console.error('error: the build has not made `' + part.from + '`');
    process.exit(1);
  }
  if (fs.statSync(from).isDirectory()) copy(from, to, 0, part);
  else { fs.mkdirSync(path.dirname(to), { recursive: true }); fs.copyFileSync(from, to); }
}
)js";
}

const char* signals() {
  return R"js(// The first process of a container gets only signals that it asks for; elsewhere Node would have ended at once.
'use strict';
if (process.pid === 1) {
  for (const [name, number] of [['SIGTERM', 15], ['SIGINT', 2], ['SIGHUP', 1]]) {
    process.on(name, () => { if (process.listenerCount(name) === 1) process.exit(128 + number); });
  }
}
)js";
}

}  // namespace whittle::detectors::node_scripts
