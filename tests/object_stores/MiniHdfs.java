import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** An HDFS of one data node, in the folder that is named; its file `port` tells when it is up. */
public class MiniHdfs {
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    Configuration settings = new Configuration();
    settings.set("hdfs.minidfs.basedir", folder.resolve("data").toString());
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(settings).numDataNodes(1).build();
    cluster.waitActive();
    Path part = folder.resolve("port.part");
    Files.writeString(part, String.valueOf(cluster.getNameNodePort()));
    Files.move(part, folder.resolve("port"), StandardCopyOption.ATOMIC_MOVE);
    Thread.currentThread().join();
  }
}
