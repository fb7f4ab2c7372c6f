"""The tests' own Docker Engine: what the other tests with one rely on."""


def test_a_container_is_held_as_strictly_as_an_app_is(engine):
    image = engine.base_image()
    with engine.container(image, ["sh", "-c", "id -u; cat /proc/self/status; touch /x"],
                          config={"User": "65532"}) as c:
        assert engine.wait(c) != 0  # touch /x: the root cannot be written
        said = engine.logs(c)
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said


def test_a_published_port_has_an_address(engine):
    image = engine.base_image()
    with engine.container(image, ["sh", "-c", "while true; do true; done"], port=80,
                          PortBindings={"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "0"}]}) as c:
        assert engine.exec(c, "sh", "-c", "exit 3")[0] == 3
        if engine.bridge:
            assert engine.inspect(c)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
