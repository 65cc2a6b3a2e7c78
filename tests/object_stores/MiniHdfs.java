import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** An HDFS of one data node: its folder, which gets a file `ready`, and its port. */
public class MiniHdfs {
  public static void main(String[] arguments) throws Exception {
    Configuration settings = new Configuration();
    settings.set("hdfs.minidfs.basedir", arguments[0] + "/data");
    MiniDFSCluster cluster =
        new MiniDFSCluster.Builder(settings)
            .nameNodePort(Integer.parseInt(arguments[1]))
            .numDataNodes(1)
            .build();
    cluster.waitActive();
    Files.createFile(Path.of(arguments[0], "ready"));
    Thread.currentThread().join();
  }
}
