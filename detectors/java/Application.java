package whittle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.Manifest;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

// The application's part of an image: a jar of its own classes that names its libraries, and those libraries apart, so
// that a change of code leaves them alone.
final class Application {
  private static final String BOOT_CLASSES = "BOOT-INF/classes/", BOOT_LIBRARIES = "BOOT-INF/lib/";

  private final String name, main;
  private final Path app, lib;
  private final List<Path> own = new ArrayList<>();
  private final List<Path> others = new ArrayList<>();
  private final List<String> classPath = new ArrayList<>();

  Application(String name, Path out, String main) throws IOException {
    this.name = name;
    this.main = main;
    app = Files.createDirectories(out.resolve("app"));
    lib = Files.createDirectories(out.resolve("lib"));
  }

  List<Path> ownJars() {
    return own;
  }

  List<Path> libraries() {
    return others;
  }

  void addClasses(String[] folders, List<Path> libraries) throws IOException {
    Map<String, Jars.Entry> entries = new LinkedHashMap<>();
    for (String folder : folders) {
      for (Path file : Trees.walk(Path.of(folder))) {
        String path = Path.of(folder).relativize(file).toString();
        if (!path.endsWith(".java")) entries.putIfAbsent(path, new Jars.Entry(Files.readAllBytes(file), false));
      }
    }
    for (Path library : libraries) addLibrary(library.getFileName().toString(), Files.readAllBytes(library), Set.of());
    write(entries, new Manifest(), "the classes");
  }

  void addJar(Path jar, List<Path> libraries, Set<String> ownDigests) throws IOException {
    if (jar.getFileName().toString().equals("quarkus-run.jar")) {
      addQuarkus(jar);
      return;
    }
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      if (zip.getEntry("WEB-INF/web.xml") != null || zip.getEntry("WEB-INF/classes/") != null) {
        throw new Assemble.Problem(jar.getFileName() + " wants a servlet container, and the image has none");
      }
      if (zip.getEntry(BOOT_CLASSES) != null || zip.getEntry("BOOT-INF/classpath.idx") != null) {
        addBoot(zip, ownDigests);
        return;
      }
      if (!holds(zip, libraries)) {
        for (Path one : libraries) addLibrary(one.getFileName().toString(), Files.readAllBytes(one), ownDigests);
      }
      write(contentsOf(zip), Jars.manifest(zip), jar.getFileName().toString());
    } catch (java.util.zip.ZipException problem) {
      throw new Assemble.Problem(jar.getFileName() + " is no jar: " + problem.getMessage());
    }
  }

  private static Jars.Entry contentOf(ZipFile zip, ZipEntry entry) throws IOException {
    return new Jars.Entry(Jars.read(zip, entry), entry.getMethod() == ZipEntry.STORED);
  }

  private static Map<String, Jars.Entry> contentsOf(ZipFile zip) throws IOException {
    Map<String, Jars.Entry> entries = new LinkedHashMap<>();
    for (ZipEntry entry : Jars.entries(zip)) entries.put(entry.getName(), contentOf(zip, entry));
    return entries;
  }

  // What Spring Boot's loader does at every start is done once.
  private void addBoot(ZipFile zip, Set<String> ownDigests) throws IOException {
    Map<String, Jars.Entry> entries = new LinkedHashMap<>();
    List<String> libraries = Jars.indexed(zip, "BOOT-INF/classpath.idx");
    for (ZipEntry entry : Jars.entries(zip)) {
      String path = entry.getName();
      if (path.startsWith(BOOT_LIBRARIES) && !libraries.contains(path)) libraries.add(path);
      if (path.startsWith(BOOT_CLASSES)) {
        entries.put(path.substring(BOOT_CLASSES.length()), contentOf(zip, entry));
      } else if (path.startsWith("META-INF/")) {
        entries.putIfAbsent(path, contentOf(zip, entry));
      }
    }
    for (String library : libraries) {
      ZipEntry entry = zip.getEntry(library);
      String file = library.substring(library.lastIndexOf('/') + 1);
      if (entry != null && !file.startsWith("spring-boot-jarmode-")) addLibrary(file, Jars.read(zip, entry), ownDigests);
    }
    Manifest manifest = Jars.manifest(zip);
    Attributes attributes = manifest.getMainAttributes();
    String start = attributes.getValue("Start-Class");
    if (start != null) attributes.put(Attributes.Name.MAIN_CLASS, start);
    for (String key : new String[] {"Start-Class", "Spring-Boot-Classes", "Spring-Boot-Lib",
                                    "Spring-Boot-Classpath-Index", "Spring-Boot-Layers-Index"}) {
      attributes.remove(new Attributes.Name(key));
    }
    write(entries, manifest, zip.getName());
  }

  // Its folders are layers already: lib/ holds the libraries, the rest is the application's.
  private void addQuarkus(Path jar) throws IOException {
    Path folder = jar.getParent();
    for (Path file : Trees.walk(folder)) {
      String path = folder.relativize(file).toString();
      Path to = path.startsWith("lib/") ? lib.resolve(path.substring(4))
                                        : app.resolve(path.equals("quarkus-run.jar") ? name + ".jar" : path);
      Files.createDirectories(to.getParent());
      if (path.startsWith("lib/")) {
        Files.copy(file, to);
        others.add(to);
      } else if (path.endsWith(".jar")) {
        copyNormalised(file, to);
        own.add(to);
      } else if (!path.equals("quarkus-app-dependencies.txt")) {
        Files.copy(file, to);
      }
    }
  }

  private static void copyNormalised(Path from, Path to) throws IOException {
    try (ZipFile zip = new ZipFile(from.toFile())) {
      Map<String, Jars.Entry> entries = contentsOf(zip);
      entries.put(Jars.MANIFEST, Jars.manifestEntry(Jars.manifest(zip)));
      Jars.write(to, entries);
    }
  }

  // Bytes as they were published: scanners and signatures know them by their digests.
  private void addLibrary(String file, byte[] content, Set<String> ownDigests) throws IOException {
    boolean isOwn = ownDigests.contains(Trees.digest(content));
    Path to = isOwn ? app.resolve("modules").resolve(file) : lib.resolve(file);
    if (Files.exists(to) && !isOwn && !Trees.digest(to).equals(Trees.digest(content))) {
      throw new Assemble.Problem("two different libraries are called " + file);
    }
    Files.createDirectories(to.getParent());
    Path plain = isOwn ? to.resolveSibling(file + ".plain") : to;
    Files.write(plain, content);
    if (isOwn) {
      copyNormalised(plain, to);
      Files.delete(plain);
    }
    (isOwn ? own : others).add(to);
    classPath.add((isOwn ? "modules/" : "lib/") + encoded(file));
  }

  // An entry of a Class-Path is a URL, and blanks divide them.
  private static String encoded(String file) {
    return file.replace("%", "%25").replace(" ", "%20").replace("#", "%23").replace("?", "%3F");
  }

  // A shaded jar: the classes of its libraries are in it.
  private static boolean holds(ZipFile zip, List<Path> libraries) throws IOException {
    Set<String> names = new HashSet<>();
    for (ZipEntry entry : Jars.entries(zip)) names.add(entry.getName());
    boolean isWhole = !libraries.isEmpty();
    for (Path library : libraries) {
      try (ZipFile other = new ZipFile(library.toFile())) {
        for (ZipEntry entry : Jars.entries(other)) {
          boolean isClass = entry.getName().endsWith(".class") && !entry.getName().contains("META-INF/")
              && !entry.getName().endsWith("module-info.class");
          if (isClass) {
            isWhole = isWhole && names.contains(entry.getName());
            break;
          }
        }
      }
    }
    return isWhole;
  }

  private void write(Map<String, Jars.Entry> entries, Manifest manifest, String what) throws IOException {
    Attributes attributes = manifest.getMainAttributes();
    if (attributes.getValue(Attributes.Name.MAIN_CLASS) == null) {
      if (main.isEmpty()) throw new Assemble.Problem(what + " names no main class, so that it cannot be started");
      attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
      attributes.put(Attributes.Name.MAIN_CLASS, main);
    }
    attributes.remove(Attributes.Name.CLASS_PATH);
    if (!classPath.isEmpty()) attributes.put(Attributes.Name.CLASS_PATH, String.join(" ", classPath));
    String start = attributes.getValue(Attributes.Name.MAIN_CLASS).trim();
    if (!entries.containsKey(start.replace('.', '/') + ".class") && own.isEmpty() && others.isEmpty()) {
      throw new Assemble.Problem(what + " has no class " + start + ", which its manifest or build file names");
    }
    entries.put(Jars.MANIFEST, Jars.manifestEntry(manifest));
    Path jar = app.resolve(name + ".jar");
    Jars.write(jar, entries);
    own.add(jar);
    System.out.println("start " + start + " with " + others.size() + " libraries");
  }
}
