#!/usr/bin/env bash
# Bootstrap action of EMR 7 (Amazon Linux 2023), on each node: the checkout and its environment at
# the same path everywhere, so that executors find the Python that the driver names.
# Argument: s3://... of a tar.gz of the checkout.
set -euo pipefail

sudo dnf install -y -q python3.11 python3.11-pip make libgomp java-17-amazon-corretto-devel
sudo mkdir -p /opt/churn_spark
sudo chown hadoop:hadoop /opt/churn_spark
aws s3 cp --only-show-errors "$1" - | tar -xz --directory /opt/churn_spark
make --directory /opt/churn_spark setup PYTHON=/usr/bin/python3.11
