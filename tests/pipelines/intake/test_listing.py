"""Directory listings as the servers write them, and pages that are none."""

import re
import threading
import time
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BadAnswer
from pipelines.intake.listing import read_listing
from pipelines.intake.names import is_plain, is_wanted

URL = "https://data.example.cn/air/"
APACHE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN"><html><head><title>Index of /air</title></head><body>
<h1>Index of /air</h1><table><tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/">Parent Directory</a></td></tr>
<tr><td><a href="a%201.csv"><img src="/icons/text.gif"></a></td><td><a href="a%201.csv">a 1.csv</a></td><td>10K</td></tr>
<tr><td><a href="old/">old/</a></td></tr><tr><td><a href="%E5%8C%97%E7%A2%9A.csv">北碚.csv</a></td></tr></table>
<address>Apache/2.4.62</address></body></html>"""
NGINX = """<html>\r\n<head><title>Index of /air/</title></head>\r\n<body>\r\n<h1>Index of /air/</h1><hr><pre><a href="../">../</a>
<a href="old/">old/</a>                  07-Apr-2026 09:00       -
<a href="a%201.csv">a 1.csv</a>          07-Apr-2026 09:00    5374
<a href="%E5%8C%97%E7%A2%9A.csv">北碚.csv</a> 07-Apr-2026 09:00 12\r\n</pre><hr></body>\r\n</html>"""
NGINX_JSON = """[
{ "name":"old", "type":"directory", "mtime":"Tue, 07 Apr 2026 01:00:00 GMT" },
{ "name":"a 1.csv", "type":"file", "mtime":"Tue, 07 Apr 2026 01:00:00 GMT", "size":5374 },
{ "name":"北碚.csv", "type":"file", "mtime":"Tue, 07 Apr 2026 01:00:00 GMT", "size":12 }
]"""
IIS = """<html><head><title>data.example.cn - /air/</title></head><body><H1>data.example.cn - /air/</H1><hr>
<pre><A HREF="/">[To Parent Directory]</A><br><br> 2026/4/7 9:00 5374 <A HREF="/air/a%201.csv">a 1.csv</A><br>
2026/4/7 9:00 &lt;dir&gt; <A HREF="/air/old/">old</A><br> 2026/4/7 9:00 12 <A HREF="/air/北碚.csv">北碚.csv</A><br></pre></body></html>"""
CADDY = """<!DOCTYPE html><html><head><title>air</title></head><body><header><h1><a href="../">/</a>air</h1></header>
<table aria-describedby="summary"><thead><tr><th><a href="./?sort=name&order=desc">Name</a></th></tr></thead><tbody>
<tr><td><a href=".."><span class="goup">Up</span></a></td></tr>
<tr class="file"><td><a href="./a%201.csv"><span class="name">a 1.csv</span></a></td></tr>
<tr class="file"><td><a href="./old/"><span class="name">old</span></a></td></tr>
<tr class="file"><td><a href="./%E5%8C%97%E7%A2%9A.csv"><span class="name">北碚.csv</span></a></td></tr></tbody></table></body></html>"""
CADDY_JSON = """[{"name":"a 1.csv","size":5374,"url":"./a%201.csv","mod_time":"2026-04-07T01:00:00Z","mode":420,"is_dir":false,
"is_symlink":false},{"name":"old/","size":0,"url":"./old/","is_dir":true},{"name":"北碚.csv","size":12,"is_dir":false}]"""
GO = '<!doctype html>\n<pre>\n<a href="a%201.csv">a 1.csv</a>\n<a href="old/">old/</a>\n<a href="%E5%8C%97%E7%A2%9A.csv">北碚.csv</a></pre>'
PAGES = {
    "apache": APACHE, "nginx": NGINX, "nginx-json": NGINX_JSON, "iis": IIS, "caddy": CADDY, "caddy-json": CADDY_JSON,
    "go": GO,
}  # fmt: skip


def page(*links: str) -> bytes:
    return ("<title>Index of /air/</title>" + "".join(f'<a href="{link}">x</a>' for link in links)).encode()


def names(*links: str, match: tuple[str, ...] = ()) -> list[str]:
    return list(read_listing(page(*links), URL, match).files)


@pytest.mark.parametrize("server", PAGES)
def test_each_server_s_page_gives_its_files_and_counts_its_folders(server):
    found = read_listing(PAGES[server].encode(), URL)
    assert found.files == {"a 1.csv": URL + "a%201.csv", "北碚.csv": URL + "%E5%8C%97%E7%A2%9A.csv"}
    assert (found.left, found.refused) == (1, ())


def test_python_s_own_server_is_read(tmp_path):
    for name in ("a 1.csv", "北碚 #&.csv", "50%.csv"):
        (tmp_path / name).touch()
    (tmp_path / "old").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        with urllib.request.urlopen(url) as answer:
            found = read_listing(answer.read(), url)
        for address in found.files.values():
            with urllib.request.urlopen(address) as answer:
                assert answer.status == 200
        server.shutdown()
    assert (sorted(found.files), found.left) == (["50%.csv", "a 1.csv", "北碚 #&.csv"], 1)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_names_are_read_in_the_encoding_of_the_server_and_asked_for_as_it_wrote_them(encoding):
    link = quote("小时值.csv", encoding=encoding)
    assert read_listing(page(link), URL).files == {"小时值.csv": URL + link}


def test_a_page_in_gbk_is_read():
    body = '<title>Index of /air/</title><a href="空气.csv">空气.csv</a>'.encode("gbk")
    assert list(read_listing(body, URL).files) == ["空气.csv"]


@pytest.mark.parametrize(
    "link",
    [
        "https://other.example/air/a.csv", "http://data.example.cn/air/a.csv", "https://data.example.cn:8443/air/a.csv",
        "//other.example/air/a.csv", "/water/a.csv", "../a.csv", "..%2Fa.csv", "a.csv?download=1", "?C=N;O=D", "#top",
        "", ".", "./", "%2e%2e", "mailto:a@b.cn", "javascript:void(0)", "http://[::1/air/a.csv", "sub/a.csv",
        "https://user@data.example.cn/air/a.csv", ".htaccess", "a.csv.part", "~$a.xlsx",
    ],
)  # fmt: skip
def test_only_finished_files_directly_below_count(link):
    assert names(link, "b.csv") == ["b.csv"]


@pytest.mark.parametrize("link", ["a%0Ab.csv", "a%5Cb.csv", "a%00.csv", "a%E2%80%AEvsc.csv"])
def test_a_name_no_file_may_have_is_told(link):
    found = read_listing(page(link, "b.csv"), URL)
    assert list(found.files) == ["b.csv"]
    assert len(found.refused) == 1


def test_patterns_choose_whatever_the_case():
    assert names("AIR_1.CSV", "air_2.csv", "water.csv", match=("air_*.csv",)) == ["AIR_1.CSV", "air_2.csv"]


def test_an_empty_folder_is_a_listing():
    assert read_listing(page("../"), URL).files == {}


def test_a_base_address_is_followed_only_below_the_listing():
    body = b'<base href="https://other.example/air/">' + page("a.csv")
    assert read_listing(body, URL).files == {}


@pytest.mark.parametrize(
    "body",
    [
        '<title>统一身份认证</title><form><input name="u"><input type="PASSWORD"></form><a href="help.html">帮助</a>',
        "<title>系统维护中</title><h1>系统维护，请稍后再试</h1>",
        '<title>政府信息公开目录</title><a href="../">首页</a><a href="t1.html">公告</a>',
        '<title>Welcome to nginx!</title><a href="http://nginx.org/">nginx.org</a>',
        "<h1>It works!</h1>", "a,b,c\n1,2,3\n", "", '{"error": "unauthorized"}', '[{"station": "1414A"}]',
        '<title>Index of /air/</title><form><input type="password"></form>',
    ],
)  # fmt: skip
def test_a_page_that_is_no_listing_is_an_error(body):
    with pytest.raises(BadAnswer) as caught:
        read_listing(body.encode(), URL)
    assert caught.value.code == "bad-listing"


@pytest.mark.parametrize(
    "junk", ["<!--", "<a ", "</", '<a href="', "<a href=x ", "<title>", "&", "<a x='", "<base ", " "]
)
def test_a_page_of_junk_is_judged_at_once(junk):
    body = (junk * (2**20 // len(junk))).encode()
    began = time.monotonic()
    with pytest.raises(BadAnswer):
        read_listing(body, URL)
    assert time.monotonic() - began < 5


def test_what_stands_in_a_comment_does_not_count():
    assert read_listing(
        b'<!-- <input type="password"> -->' + page("a.csv") + b"<!-- <a href='b.csv'> -->", URL
    ).files == {"a.csv": URL + "a.csv"}


def test_a_listing_without_end_is_an_error():
    with pytest.raises(BadAnswer, match="50000"):
        read_listing(page(*(f"{n}.csv" for n in range(50_001))), URL)


LETTERS = re.compile(r"[\u0100-\u036f\u0400-\u07ff]")
# letters that short names in GBK would be taken for are no bureau's
name = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=40)


@given(st.sets(name.filter(lambda text: is_plain(text) and is_wanted(text, ()) and not LETTERS.search(text))))
def test_every_plain_name_comes_back(wanted):
    found = read_listing(page("../", *(quote(one, safe="") for one in wanted)), URL)
    assert set(found.files) == wanted
