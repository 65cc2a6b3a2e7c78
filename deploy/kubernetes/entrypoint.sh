#!/usr/bin/env bash
# What Spark asks of an image: `driver ...` and `executor` start those; anything else is a job's
# module and its options, as in the image below this one.
set -euo pipefail

# There to run in one container without a network; a driver and its executors have names.
unset SPARK_LOCAL_HOSTNAME

case ${1:-} in
  driver)
    shift
    exec "$SPARK_HOME/bin/spark-submit" \
      --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
      --deploy-mode client \
      "$@"
    ;;
  executor)
    # Spark hands the options of the JVM over as SPARK_JAVA_OPT_0, SPARK_JAVA_OPT_1 and so on.
    options=()
    for ((number = 0; ; number++)); do
      name=SPARK_JAVA_OPT_$number
      [[ -n ${!name:-} ]] || break
      options+=("${!name}")
    done
    class_path=${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$SPARK_HOME/jars/*:$SPARK_DIST_CLASSPATH
    exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" \
      "${options[@]}" \
      "-Xms$SPARK_EXECUTOR_MEMORY" \
      "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "$class_path" \
      org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
      --driver-url "$SPARK_DRIVER_URL" \
      --executor-id "$SPARK_EXECUTOR_ID" \
      --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" \
      --hostname "$SPARK_EXECUTOR_POD_IP" \
      --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \
      --podName "$SPARK_EXECUTOR_POD_NAME"
    ;;
  *)
    exec python -m "$@"
    ;;
esac
