package whittle;

import java.io.DataInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

// The modules of the JDK that classes use: what `jdeps` says, and what is only known to be loaded by name. Read from
// constant pools directly, since jdeps refuses sets of jars in which a module is missing.
final class Modules {
  private static final Set<String> CHARSETS =
      Set.of("GBK", "GB2312", "GB18030", "Big5", "Shift_JIS", "EUC-JP", "EUC-KR", "windows-31j", "ISO-2022-JP");
  private static final int MOST_CHARSETS = 3;  // a class that names more of them is a table
  private static final Set<String> LOCALES = Set.of("CHINA", "CHINESE", "SIMPLIFIED_CHINESE", "TRADITIONAL_CHINESE",
      "FRANCE", "FRENCH", "GERMANY", "GERMAN", "ITALY", "ITALIAN", "JAPAN", "JAPANESE", "KOREA", "KOREAN", "TAIWAN");
  // Frameworks speak of images, and do without when nobody asks for one.
  private static final String[] DRAWS_ON_DEMAND = {"org/springframework/", "org/apache/catalina/"};
  private static final String[] DRAWING = {"java/awt/Graphics", "java/awt/Font", "java/awt/image/BufferedImage",
      "javax/imageio/ImageIO", "java/awt/Robot", "javax/swing/"};

  private final Map<String, String> moduleOfPackage = new HashMap<>();
  private final Set<String> known = new TreeSet<>();
  private final TreeMap<String, String> found = new TreeMap<>();  // module → evidence
  private String drawing = "";

  // What libraries use is kept in a folder that all builds share, by everything that it depends on: they change seldom, and
  // reading them takes as long as the rest.
  private final Path keep;
  private final String rules;

  Modules(Path keep) throws IOException {
    this.keep = keep;
    rules = Runtime.identityOfJdk() + Trees.digest(ownClass());
    for (ModuleReference reference : ModuleFinder.ofSystem().findAll()) {
      ModuleDescriptor module = reference.descriptor();
      known.add(module.name());
      for (String one : module.packages()) moduleOfPackage.put(one.replace('.', '/'), module.name());
    }
    found.put("java.base", "every program");
  }

  Set<String> names() {
    return found.keySet();
  }

  // Whether something draws, so that fonts and images are wanted of java.desktop and not only its beans.
  boolean draws() {
    return !drawing.isEmpty();
  }

  void add(String module, String evidence) {
    if (module.equals("jdk.localedata") || known.contains(module)) {
      found.putIfAbsent(module, evidence);
      if (module.equals("java.desktop") && evidence.equals("image.java-modules")) drawing = evidence;
      return;
    }
    throw new Assemble.Problem("the JDK has no module " + module + " (" + evidence + ")");
  }

  void print() {
    found.forEach((module, evidence) -> System.out.println("module " + module + ": " + evidence));
    if (draws()) System.out.println("fonts and images: " + drawing);
  }

  void scanLibrary(Path jar) throws IOException {
    Path kept = keep.resolve("modules-" + Trees.digest((rules + Trees.digest(jar)).getBytes("UTF-8")).substring(0, 32));
    String text = read(kept);
    if (text == null) {
      Modules alone = new Modules(this);
      alone.scan(jar, false);
      text = alone.text();
      Files.createDirectories(keep);
      Path unfinished = Files.createTempFile(keep, "unfinished-", "");
      Files.write(unfinished, (Trees.digest(text.getBytes("UTF-8")) + "\n" + text).getBytes("UTF-8"));
      Files.move(unfinished, kept, StandardCopyOption.ATOMIC_MOVE);
    }
    for (String line : text.split("\n")) {
      String[] parts = line.split("\t", 2);
      if (!parts[0].isEmpty()) {
        found.putIfAbsent(parts[0], parts[1]);
      } else if (drawing.isEmpty()) {
        drawing = parts[1];
      }
    }
  }

  // For one library alone.
  private Modules(Modules all) {
    keep = all.keep;
    rules = all.rules;
    known.addAll(all.known);
    moduleOfPackage.putAll(all.moduleOfPackage);
  }

  // A line for each module with its evidence; one without a module says what draws.
  private String text() {
    StringBuilder text = new StringBuilder();
    found.forEach((module, evidence) -> text.append(module).append('\t').append(inOneLine(evidence)).append('\n'));
    return text.append('\t').append(inOneLine(drawing)).append('\n').toString();
  }

  private static String inOneLine(String evidence) {
    return evidence.replaceAll("\\p{Cntrl}", "?");
  }

  // Nothing when it is not there, or not as it was written.
  private static String read(Path kept) throws IOException {
    if (!Files.exists(kept)) return null;
    String all = new String(Files.readAllBytes(kept), "UTF-8");
    String text = all.substring(all.indexOf('\n') + 1);
    return all.startsWith(Trees.digest(text.getBytes("UTF-8")) + "\n") ? text : null;
  }

  private static byte[] ownClass() throws IOException {
    try (InputStream in = Modules.class.getResourceAsStream("Modules.class")) {
      return in.readAllBytes();
    }
  }

  void scan(Path jar, boolean isOwn) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : Jars.entries(zip)) {
        if (!entry.getName().endsWith(".class") || isForAnotherVersion(entry.getName())) continue;
        scanClass(entry.getName(), Jars.read(zip, entry), isOwn);
      }
    }
  }

  private static boolean isForAnotherVersion(String path) {
    if (path.endsWith("module-info.class")) return true;
    if (!path.startsWith("META-INF/versions/")) return false;
    String number = path.substring(18, Math.max(18, path.indexOf('/', 18)));
    return !number.matches("[0-9]{1,3}") || Integer.parseInt(number) > java.lang.Runtime.version().feature();
  }

  // https://docs.oracle.com/javase/specs/jvms/se17/html/jvms-4.html#jvms-4.4
  private void scanClass(String name, byte[] content, boolean isOwn) throws IOException {
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(content));
    if (in.readInt() != 0xCAFEBABE) return;
    in.readInt();
    int count = in.readUnsignedShort();
    String[] texts = new String[count];
    int[] tags = new int[count], first = new int[count], second = new int[count];
    for (int i = 1; i < count; ++i) {
      tags[i] = in.readUnsignedByte();
      switch (tags[i]) {
        case 1: texts[i] = in.readUTF(); break;
        case 3: case 4: in.readInt(); break;
        case 5: case 6: in.readLong(); ++i; break;
        case 7: case 8: case 16: case 19: case 20: first[i] = in.readUnsignedShort(); break;
        case 9: case 10: case 11: case 12: case 17: case 18:
          first[i] = in.readUnsignedShort();
          second[i] = in.readUnsignedShort();
          break;
        case 15: in.readUnsignedByte(); in.readUnsignedShort(); break;
        default: throw new Assemble.Problem(name + " is no class file that this JDK knows");
      }
    }
    int charsets = 0;
    for (int i = 1; i < count; ++i) {
      if (tags[i] == 8 && CHARSETS.contains(texts[first[i]])) ++charsets;
    }
    for (int i = 1; i < count; ++i) {
      if (tags[i] == 1) noteDescriptor(texts[i], name);
      if (tags[i] == 7) noteClass(texts[first[i]], name);
      if (tags[i] == 8) noteText(texts[first[i]], name, charsets > MOST_CHARSETS);
      if (tags[i] == 9 || tags[i] == 10) {
        noteMember(texts[first[first[i]]], texts[first[second[i]]], name, isOwn);
      }
    }
  }

  private void noteDescriptor(String text, String user) {
    for (int at = text.indexOf('L'); at >= 0; at = text.indexOf('L', at + 1)) {
      int end = text.indexOf(';', at);
      if (end < 0) return;
      int generic = text.indexOf('<', at);
      noteClass(text.substring(at + 1, generic > 0 && generic < end ? generic : end), user);
    }
  }

  private void noteClass(String type, String user) {
    int slash = type.lastIndexOf('/');
    if (slash <= 0) return;
    if (type.startsWith("[")) return;  // its element has a descriptor
    String module = moduleOfPackage.get(type.substring(0, slash));
    if (module == null) return;
    String evidence = user.replace(".class", "") + " uses " + type;
    found.putIfAbsent(module, evidence);
    if (module.equals("java.management")) noteKnown("jdk.management", evidence);
    boolean isForTls = type.startsWith("javax/net/ssl/") || type.startsWith("java/net/http/")
        || type.equals("java/net/URL") || type.startsWith("java/security/interfaces/EC");
    if (isForTls) noteKnown("jdk.crypto.ec", evidence);
    if (module.equals("java.desktop") && drawing.isEmpty()) noteDrawing(type, user, evidence);
  }

  private void noteDrawing(String type, String user, String evidence) {
    for (String prefix : DRAWS_ON_DEMAND) {
      if (user.startsWith(prefix)) return;
    }
    for (String prefix : DRAWING) {
      if (type.startsWith(prefix)) drawing = evidence;
    }
  }

  private void noteText(String text, String user, boolean isTable) {
    String who = user.replace(".class", "");
    if (!isTable && CHARSETS.contains(text)) noteKnown("jdk.charsets", who + " names " + text);
    if (text.startsWith("dns:") || text.startsWith("com.sun.jndi.dns.")) {
      noteKnown("jdk.naming.dns", who + " names " + text);
    }
  }

  private void noteMember(String type, String member, String user, boolean isOwn) {
    String evidence = user.replace(".class", "") + " uses " + type + "." + member;
    if (type.equals("java/nio/file/FileSystems") && member.equals("newFileSystem")) noteKnown("jdk.zipfs", evidence);
    if (isOwn && type.equals("java/util/Locale") && LOCALES.contains(member)) noteKnown("jdk.localedata", evidence);
  }

  private void noteKnown(String module, String evidence) {
    if (known.contains(module)) found.putIfAbsent(module, evidence);
  }
}
