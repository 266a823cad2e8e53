# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for the monitor of a QEMU: a machine of ports and devices, which a test bends as it likes."""

import json
import socket
import threading

GREETING = {"QMP": {"version": {"qemu": {"major": 11, "minor": 1, "micro": 3}, "package": ""}, "capabilities": ["oob"]}}


def child(name, kind):
    return {"name": name, "type": f"child<{kind}>"}


class Refusal(Exception):
    """What a command answers instead of a value."""


class FakeQemu:
    """Serves one program at a time from a thread. `ports` maps identifiers to what is plugged in, or None."""

    greeting = GREETING
    models = ("vfio-user-pci", "ivshmem-doorbell", "virtio-rng-pci")

    def __init__(self, path, **ports):
        self.ports = ports
        self.chardevs = []
        self.requests = []  # all commands with their arguments
        self.no_hotplug = ()  # ports that allow none
        self.kvm = True
        self.bars = 2  # of a device, that QEMU knows of
        self.has_room = True  # for the second BAR
        self.kinds = {}  # models of devices, by their identifiers
        self.taken = True  # the guest's driver puts a device into service at once
        self.unplugs = True  # the guest lets go of a device at once
        self.events = []  # to send before the next answer
        self.later = []  # to send after it
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve_all)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def serve_all(self):
        while True:
            try:
                self.client, _ = self.listener.accept()
            except OSError:
                return
            with self.client:
                try:
                    self.serve()
                except ConnectionError:
                    pass

    # --- the conversation ---

    def send(self, message):
        self.client.sendall(json.dumps(message).encode() + b"\r\n")

    def serve(self):
        self.send(self.greeting)
        for line in self.client.makefile("r"):
            self.answer(json.loads(line))

    def answer(self, request):
        self.requests.append((request["execute"], request.get("arguments")))
        handler = getattr(self, request["execute"].replace("-", "_"))
        try:
            answer = {"return": handler(**request.get("arguments", {}))}
        except Refusal as refusal:
            answer = {"error": {"class": "GenericError", "desc": str(refusal)}}
        events, self.events = self.events, []
        later, self.later = self.later, []
        for message in [*events, answer | {"id": request["id"]}, *later]:
            self.send(message)

    def event(self, name, **data):
        return {"event": name, "data": data, "timestamp": {"seconds": 1, "microseconds": 2}}

    # --- the machine ---

    def devices(self):
        return [device for device in self.ports.values() if device]

    def qmp_capabilities(self):
        return {}

    def qom_list(self, path):
        where = path.removeprefix("/machine/peripheral").split("/")[1:]
        listed = [{"name": "type", "type": "string"}]
        if not where:
            listed += [child(port, "pcie-root-port") for port in self.ports]
            listed += [child(device, self.kinds.get(device, "some-device")) for device in self.devices()]
        elif len(where) == 1 and where[0] in self.ports:
            listed += [{"name": name, "type": "uint8"} for name in ("slot", "chassis")]
            listed += [{"name": "hotplug", "type": "bool"}, child(where[0], "PCIE")]
        elif len(where) == 1:
            listed.append({"name": "slot", "type": "uint8"})  # memory has one, too
        elif self.ports.get(where[0]):
            listed.append({"name": "child[0]", "type": "link<some-device>"})
        return listed

    def qom_get(self, path, property):
        return property == "hotplug" and path.split("/")[-1] not in self.no_hotplug

    def query_kvm(self):
        return {"present": True, "enabled": self.kvm}

    def query_pci(self):
        buses = []
        for port, device in self.ports.items():
            address = 0xFE000000 if self.taken else -1
            regions = [{"bar": i, "type": "memory", "size": 4096, "address": address} for i in range(self.bars)]
            if not self.has_room:
                regions[1]["address"] = -1
            behind = [{"qdev_id": device, "regions": regions}] if device else []
            buses.append({"qdev_id": port, "regions": [], "pci_bridge": {"bus": {}, "devices": behind}})
        return [{"bus": 0, "devices": [{"qdev_id": "", "regions": []}, *buses]}]

    def device_add(self, driver, id, bus=None, **properties):
        if driver not in self.models:
            raise Refusal(f"'{driver}' is not a valid device model name")
        self.ports[bus] = id
        self.kinds[id] = driver
        return {}

    def device_del(self, id):
        if id not in self.devices():
            raise Refusal(f"Device '{id}' not found")
        if self.unplugs:
            self.ports = {port: None if device == id else device for port, device in self.ports.items()}
            self.later.append(self.event("DEVICE_DELETED", device=id, path=f"/machine/peripheral/{id}"))
        return {}

    def chardev_add(self, id, backend):
        if id in self.chardevs:
            raise Refusal(f"Chardev with id '{id}' already exists")
        self.chardevs.append(id)
        return {}

    def chardev_remove(self, id):
        if id not in self.chardevs:
            raise Refusal(f"Chardev '{id}' not found")
        self.chardevs.remove(id)
        return {}
