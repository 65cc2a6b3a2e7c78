"""The Spark session, Java and the jars."""
