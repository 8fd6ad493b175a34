package whittle;

import java.io.IOException;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReader;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;

// A Java runtime of certain modules, by jlink; kept for all builds, since it changes as seldom as the set of modules.
final class Runtime {
  // Never loaded by a program: for debuggers, other JDKs and desktops.
  private static final String[] NEEDLESS = {"lib/jrt-fs.jar", "lib/jexec", "lib/classlist", "lib/libjsig.so",
      "lib/server/libjsig.so", "lib/libsplashscreen.so", "lib/libawt_xawt.so", "lib/libjawt.so", "include", "man"};
  private static final String[] ONLY_FOR_DRAWING = {"lib/libfontmanager.so", "lib/libfreetype.so", "lib/libawt.so",
      "lib/libawt_headless.so", "lib/liblcms.so", "lib/libjavajpeg.so", "lib/libmlib_image.so", "lib/libjsound.so",
      "lib/psfontj2d.properties", "lib/psfont.properties.ja"};

  // Of java.desktop, which frameworks want for its beans.
  private static final String[] CLASSES_FOR_DRAWING = {"javax/swing", "sun/swing", "com/sun/swing", "com/sun/java",
      "javax/sound", "com/sun/media", "javax/print", "sun/print", "com/sun/imageio", "sun/java2d", "sun/font",
      "com/sun/accessibility", "javax/accessibility"};

  private final Modules modules;
  private final Path keep;
  private final String strip;

  Runtime(Modules modules, Path keep, String strip) {
    this.modules = modules;
    this.keep = keep;
    this.strip = strip;
  }

  void install(Path to) throws Exception {
    Files.createDirectories(keep);
    Path kept = keep.resolve("runtime-" + key());
    if (!Files.exists(kept)) {
      Path scratch = Files.createTempDirectory(keep, "unfinished-");
      Path made = scratch.resolve("runtime");
      link(made, scratch);
      try {
        Files.move(made, kept, StandardCopyOption.ATOMIC_MOVE);
      } catch (FileSystemException problem) {
        if (!Files.exists(kept)) throw problem;  // otherwise another build was first
      }
      Trees.remove(scratch);
    }
    Trees.copy(kept, to);
  }

  // Everything that its bytes depend on.
  private String key() throws IOException {
    String all = "1\n" + identityOfJdk() + "\n" + String.join(",", modules.names())
        + "\n" + modules.draws();
    return Trees.digest(all.getBytes("UTF-8")).substring(0, 16);
  }

  static String identityOfJdk() throws IOException {
    String release = Files.readString(Path.of(System.getProperty("java.home"), "release"));
    return release + System.getProperty("java.vm.version");
  }

  private void link(Path folder, Path scratch) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("--add-modules", String.join(",", modules.names()), "--output",
        folder.toString(), "--strip-java-debug-attributes", "--no-header-files", "--no-man-pages", "--compress=1",
        // Without a locale the JVM takes texts for ASCII before Java 18.
        "--add-options=-Dfile.encoding=UTF-8"));
    if (modules.names().contains("jdk.localedata")) arguments.add("--include-locales=*");
    if (modules.names().contains("java.desktop") && !modules.draws()) {
      Path list = scratch.resolve("excluded");
      Files.write(list, drawingClasses());
      arguments.add("--exclude-resources=@" + list);
    }
    ToolProvider jlink = ToolProvider.findFirst("jlink").orElseThrow(
        () -> new Assemble.Problem("the JDK in " + System.getProperty("java.home") + " has no jlink"));
    if (jlink.run(System.out, System.err, arguments.toArray(new String[0])) != 0) {
      throw new Assemble.Problem("jlink failed");
    }
    for (Path program : Trees.list(folder.resolve("bin"))) {
      if (!program.getFileName().toString().equals("java")) Files.delete(program);
    }
    for (String path : NEEDLESS) Trees.remove(folder.resolve(path));
    if (!modules.draws()) {
      for (String path : ONLY_FOR_DRAWING) Trees.remove(folder.resolve(path));
    }
    stripLibraries(folder);
  }

  // jlink wants a file of every package that a module has.
  private static List<String> drawingClasses() throws IOException {
    List<String> excluded = new ArrayList<>();
    Set<String> packages = new HashSet<>();
    try (ModuleReader reader = ModuleFinder.ofSystem().find("java.desktop").orElseThrow().open()) {
      for (String path : reader.list().sorted().collect(Collectors.toList())) {
        boolean isForDrawing = Arrays.stream(CLASSES_FOR_DRAWING).anyMatch(folder -> path.startsWith(folder + "/"));
        if (!isForDrawing || path.endsWith("/")) continue;
        if (!packages.add(path.substring(0, path.lastIndexOf('/')))) excluded.add("/java.desktop/" + path);
      }
    }
    return excluded;
  }

  private void stripLibraries(Path folder) throws Exception {
    if (strip == null) return;
    List<String> command = new ArrayList<>(List.of(strip, "--strip-unneeded"));
    for (Path file : Trees.walk(folder)) {
      boolean isLibrary = file.toString().endsWith(".so") || file.startsWith(folder.resolve("bin"))
          || file.endsWith("jspawnhelper");
      if (isLibrary && !Files.isSymbolicLink(file) && Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
        command.add(file.toString());
      }
    }
    run(command.toArray(new String[0]));
  }

  private static void run(String... command) throws Exception {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String said = new String(process.getInputStream().readAllBytes());
    if (process.waitFor() != 0) throw new Assemble.Problem(String.join(" ", command) + " failed: " + said);
  }
}
