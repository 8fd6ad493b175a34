// Makes the folders of a Java image out of what a build tool has left: image/app with the application's own classes,
// image/lib with the jars of others, image/runtime with a Java runtime of the modules that both use.
package whittle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

final class Assemble {
  // What the user can mend; shown without a stack trace.
  static final class Problem extends RuntimeException {
    private static final long serialVersionUID = 1;

    Problem(String message) {
      super(message);
    }
  }

  // Arguments are `key=value`. For all applications:
  //   out      the folder of the image
  //   keep     a folder that all builds share
  //   strip    the program that takes symbols out of libraries
  //   own      a tree whose own jars are part of the applications, not dependencies
  //   modules  modules of the JDK beyond those that are found, separated by `,`
  // For each, beginning with its name:
  //   name     of its jar in the image
  //   jar      the jar; or
  //   from     a folder that holds it; or
  //   classes  folders of classes and resources, separated by `:`
  //   libs     a folder of jars that it needs
  //   main     the main class when the jar names none
  public static void main(String[] arguments) throws Exception {
    Map<String, String> common = new HashMap<>();
    List<Map<String, String>> applications = new ArrayList<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      String key = argument.substring(0, equals);
      if (key.equals("name")) applications.add(new HashMap<>());
      (applications.isEmpty() ? common : applications.get(applications.size() - 1))
          .put(key, argument.substring(equals + 1));
    }
    try {
      run(common, applications);
    } catch (Problem problem) {
      System.err.println("error: " + problem.getMessage());
      System.exit(1);
    }
  }

  private static void run(Map<String, String> common, List<Map<String, String>> applications) throws Exception {
    Path out = Path.of(common.get("out"));
    Trees.remove(out);
    Set<String> own = common.containsKey("own") ? ownJars(Path.of(common.get("own"))) : Set.of();
    Set<Path> ownJars = new TreeSet<>(), libraries = new TreeSet<>();
    for (Map<String, String> options : applications) {
      Application application = new Application(options.get("name"), out, options.getOrDefault("main", ""));
      add(application, options, own);
      ownJars.addAll(application.ownJars());
      libraries.addAll(application.libraries());
    }
    Path keep = Path.of(common.get("keep"));
    Modules modules = new Modules(keep);
    for (Path jar : ownJars) modules.scan(jar, true);
    for (Path jar : libraries) modules.scanLibrary(jar);
    for (String module : common.getOrDefault("modules", "").split(",")) {
      if (!module.isEmpty()) modules.add(module, "image.java-modules");
    }
    modules.print();
    new Runtime(modules, keep, common.get("strip")).install(out.resolve("runtime"));
  }

  private static void add(Application application, Map<String, String> options, Set<String> own) throws IOException {
    List<Path> libraries = libraries(options.getOrDefault("libs", ""));
    if (options.containsKey("classes")) {
      application.addClasses(options.get("classes").split(":"), libraries);
    } else {
      Path jar = options.containsKey("jar") ? Path.of(options.get("jar")) : findJar(Path.of(options.get("from")));
      application.addJar(jar, libraries, own);
    }
  }

  private static List<Path> libraries(String folder) throws IOException {
    if (folder.isEmpty() || !Files.isDirectory(Path.of(folder))) return List.of();
    return Trees.list(Path.of(folder)).stream().filter(file -> file.toString().endsWith(".jar"))
        .collect(Collectors.toList());
  }

  private static boolean isAside(String name) {
    return name.startsWith("original-") || name.endsWith("-sources.jar") || name.endsWith("-javadoc.jar")
        || name.endsWith("-tests.jar") || name.endsWith("-test-sources.jar") || name.endsWith("-plain.jar");
  }

  // The jar that can be started, among those that a build tool leaves in its folder.
  private static Path findJar(Path folder) throws IOException {
    Path quarkus = folder.resolve("quarkus-app/quarkus-run.jar");
    if (Files.exists(quarkus)) return quarkus;
    List<Path> jars = new ArrayList<>();
    List<Path> wars = new ArrayList<>();
    for (Path file : Files.isDirectory(folder) ? Trees.list(folder) : List.<Path>of()) {
      String name = file.getFileName().toString();
      if (name.endsWith(".war") || name.endsWith(".ear")) wars.add(file);
      if (name.endsWith(".jar") && !isAside(name)) jars.add(file);
    }
    if (jars.isEmpty() && !wars.isEmpty()) {
      throw new Problem(wars.get(0) + " wants a servlet container, and the image has none");
    }
    if (jars.isEmpty()) throw new Problem("the build made no jar in " + folder);
    if (jars.size() == 1) return jars.get(0);
    List<Path> started = new ArrayList<>();
    for (Path jar : jars) {
      if (!Jars.mainClass(jar).isEmpty()) started.add(jar);
    }
    if (started.size() == 1) return started.get(0);
    // A plugin that adds dependencies leaves the small jar beside its own.
    List<Path> whole = started.stream().filter(Assemble::isWhole).collect(Collectors.toList());
    if (whole.size() == 1) return whole.get(0);
    throw new Problem("the build made several jars in " + folder + ": " + names(started.isEmpty() ? jars : started));
  }

  private static boolean isWhole(Path jar) {
    return jar.getFileName().toString().matches(".*-(all|jar-with-dependencies|shaded|runner|exec|fat|uber)\\.jar");
  }

  private static String names(List<Path> files) {
    return files.stream().map(file -> file.getFileName().toString()).collect(Collectors.joining(", "));
  }

  // By content: the jars of other modules of the same tree.
  private static Set<String> ownJars(Path tree) throws IOException {
    Set<String> digests = new TreeSet<>();
    try (Stream<Path> files = Files.walk(tree)) {
      List<Path> jars = files.filter(file -> isBuilt(tree.relativize(file))).collect(Collectors.toList());
      for (Path jar : jars) digests.add(Trees.digest(jar));
    }
    return digests;
  }

  private static boolean isBuilt(Path file) {
    String path = "/" + file;
    return path.endsWith(".jar") && !path.contains("/whittle/")
        && (path.contains("/target/") || path.contains("/build/libs/"));
  }
}
