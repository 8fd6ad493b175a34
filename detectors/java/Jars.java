package whittle;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

// Jars, read and written so that equal content gives equal bytes.
final class Jars {
  static final String MANIFEST = "META-INF/MANIFEST.MF";
  // The first time that a zip archive can say, without a time zone.
  private static final LocalDateTime TIME = LocalDateTime.of(1980, 1, 1, 0, 0, 0);

  private Jars() {}

  static final class Entry {
    final byte[] content;
    final boolean isStored;

    Entry(byte[] content, boolean isStored) {
      this.content = content;
      this.isStored = isStored;
    }
  }

  static Manifest manifest(ZipFile jar) throws IOException {
    ZipEntry entry = jar.getEntry(MANIFEST);
    if (entry == null) return new Manifest();
    try (InputStream in = jar.getInputStream(entry)) {
      return new Manifest(in);
    }
  }

  static String mainClass(Path jar) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      String name = manifest(zip).getMainAttributes().getValue(Attributes.Name.MAIN_CLASS);
      return name == null ? "" : name.trim();
    }
  }

  static byte[] read(ZipFile jar, ZipEntry entry) throws IOException {
    try (InputStream in = jar.getInputStream(entry)) {
      return in.readAllBytes();
    }
  }

  static List<ZipEntry> entries(ZipFile jar) {
    List<ZipEntry> found = new ArrayList<>();
    jar.stream().filter(entry -> !entry.isDirectory()).forEach(found::add);
    return found;
  }

  // `lines` of an index that Spring Boot writes: `- "BOOT-INF/lib/a.jar"`.
  static List<String> indexed(ZipFile jar, String name) throws IOException {
    List<String> found = new ArrayList<>();
    ZipEntry entry = jar.getEntry(name);
    if (entry == null) return found;
    for (String line : new String(read(jar, entry), java.nio.charset.StandardCharsets.UTF_8).split("\n")) {
      int first = line.indexOf('"'), last = line.lastIndexOf('"');
      if (first >= 0 && last > first) found.add(line.substring(first + 1, last));
    }
    return found;
  }

  static Entry manifestEntry(Manifest manifest) throws IOException {
    Attributes attributes = manifest.getMainAttributes();
    attributes.putIfAbsent(Attributes.Name.MANIFEST_VERSION, "1.0");
    // Whose machine it was made on is nobody's business, and would change the bytes.
    for (String name : new String[] {"Built-By", "Build-Jdk", "Build-Time", "Build-Date", "Bnd-LastModified"}) {
      attributes.remove(new Attributes.Name(name));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    manifest.write(out);
    return new Entry(out.toByteArray(), false);
  }

  // The manifest first, as `java -jar` and JarInputStream want it, then folders and files in one order.
  static void write(Path file, Map<String, Entry> entries) throws IOException {
    Files.createDirectories(file.getParent());
    try (OutputStream out = Files.newOutputStream(file); ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.setLevel(9);
      if (entries.containsKey(MANIFEST)) put(zip, MANIFEST, entries.get(MANIFEST));
      for (Map.Entry<String, Entry> entry : withFolders(entries).entrySet()) {
        if (!entry.getKey().equals(MANIFEST)) put(zip, entry.getKey(), entry.getValue());
      }
    }
  }

  // Frameworks look for packages by the folders in a jar.
  private static TreeMap<String, Entry> withFolders(Map<String, Entry> entries) {
    TreeMap<String, Entry> all = new TreeMap<>(entries);
    for (String name : entries.keySet()) {
      for (int slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
        all.put(name.substring(0, slash + 1), new Entry(new byte[0], true));
      }
    }
    return all;
  }

  private static void put(ZipOutputStream zip, String name, Entry entry) throws IOException {
    ZipEntry header = new ZipEntry(name);
    header.setTimeLocal(TIME);
    if (entry.isStored) {
      CRC32 sum = new CRC32();
      sum.update(entry.content);
      header.setMethod(ZipEntry.STORED);
      header.setSize(entry.content.length);
      header.setCrc(sum.getValue());
    }
    zip.putNextEntry(header);
    zip.write(entry.content);
    zip.closeEntry();
  }
}
