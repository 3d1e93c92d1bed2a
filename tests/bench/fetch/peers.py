#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The contestants of the fetch benchmark that are Python libraries.

peers.py requests DIR LIST                      LIST has lines of "URL name"; whole bodies in memory
peers.py boto3 DIR ENDPOINT BUCKET PREFIX       every object under PREFIX, 16 at a time
"""
import os
import sys


def with_requests(directory, list_path):
    import requests

    for line in open(list_path):
        url, name = line.split()
        answer = requests.get(url, timeout=300)
        answer.raise_for_status()
        with open(os.path.join(directory, name), "wb") as file:
            file.write(answer.content)


def with_boto3(directory, endpoint, bucket, prefix):
    import boto3
    from botocore.config import Config
    from concurrent.futures import ThreadPoolExecutor

    s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=16))
    keys = [
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in page["Contents"]
    ]

    def fetch(key):
        s3.download_file(bucket, key, os.path.join(directory, os.path.basename(key)))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(fetch, keys))


{"requests": with_requests, "boto3": with_boto3}[sys.argv[1]](*sys.argv[2:])
