"""The few calls that the host makes, through files in `$STANDIN_FOLDER`."""

import os
import pickle
import time
from pathlib import Path


class Communicator:
    """All processes of a run."""

    def __init__(self):
        self.folder, self.calls = Path(os.environ["STANDIN_FOLDER"]), 0

    def Get_rank(self):
        return int(os.environ["STANDIN_RANK"])

    def Get_size(self):
        return int(os.environ["STANDIN_SIZE"])

    def gather(self, value, root=0):
        self.calls += 1
        place = self.folder / f"{self.calls}.{self.Get_rank()}.part"
        place.write_bytes(pickle.dumps(value))
        place.rename(place.with_suffix(".done"))
        all_ = [self.folder / f"{self.calls}.{n}.done" for n in range(self.Get_size())]
        while not all(path.exists() for path in all_):
            if (self.folder / "aborted").exists():
                os._exit(1)
            time.sleep(0.01)
        return [pickle.loads(path.read_bytes()) for path in all_]

    def Barrier(self):
        self.gather(None)

    def Abort(self, status):
        (self.folder / "aborted").touch()
        os._exit(status)


COMM_WORLD = Communicator()
