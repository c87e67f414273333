#!/usr/bin/env bash
# convert: .npz and .safetensors files as Python makes and reads them: with its standard library alone, and with
# NumPy's and safetensors' own code where python3 (or $TANDEM_PYTHON) has them.
. "$(dirname "$0")/lib_cli.sh"
PYTHON=${TANDEM_PYTHON:-python3}
"$PYTHON" -c 'import json, zipfile, zlib' 2>/dev/null || { echo "python3 with zipfile is not installed"; exit 77; }

# files.py write: plain.npz (deflated) and plain.safetensors.  files.py check A...: each holds exactly the same.
cat >files.py <<'PYTHON'
import io, json, struct, sys, zipfile

def npy(descr, shape, data):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %r, }" % (descr, shape)).encode()
    head += b' ' * (-(10 + len(head) + 1) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head + data

TENSORS = {'fc.weight': ('<f4', 'F32', (2, 3), struct.pack('<6f', 1, -0.0, 3.5, float('inf'), 5e-42, 6)),
           'step': ('<i8', 'I64', (), struct.pack('<q', -7)),
           'mask': ('|b1', 'BOOL', (3,), b'\x01\x00\x01')}
NOTES = {'epoch': '3', 'note': 'caf\u00e9 "x"'}

def write_npz(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, (descr, _, shape, data) in TENSORS.items():
            with z.open(name + '.npy', 'w', force_zip64=True) as f:
                f.write(npy(descr, shape, data))
        z.writestr('__metadata__.json', json.dumps(NOTES))

def write_safetensors(path):
    head, body = {'__metadata__': NOTES}, b''
    for name, (_, dtype, shape, data) in TENSORS.items():
        head[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + body)

def check(path):
    if path.endswith('.npz'):
        z = zipfile.ZipFile(path)
        assert z.testzip() is None
        assert json.loads(z.read('__metadata__.json')) == NOTES
        assert sorted(z.namelist()) == sorted([n + '.npy' for n in TENSORS] + ['__metadata__.json'])
        for name, (descr, _, shape, data) in TENSORS.items():
            b = z.read(name + '.npy')
            n, = struct.unpack('<H', b[8:10])
            head = eval(b[10:10 + n])
            assert (head['descr'], head['shape'], b[10 + n:]) == (descr, shape, data), name
    else:
        b = open(path, 'rb').read()
        n, = struct.unpack('<Q', b[:8])
        head = json.loads(b[8:8 + n])
        assert head.pop('__metadata__') == NOTES and head.keys() == TENSORS.keys()
        for name, (_, dtype, shape, data) in TENSORS.items():
            begin, end = head[name]['data_offsets']
            assert (head[name]['dtype'], tuple(head[name]['shape'])) == (dtype, shape), name
            assert b[8 + n + begin:8 + n + end] == data, name

def other(what):
    try:
        return __import__(what, fromlist=['numpy'])
    except ImportError:
        return None

if sys.argv[1] == 'write':
    write_npz('plain.npz')
    write_safetensors('plain.safetensors')
    np, st = other('numpy'), other('safetensors.numpy')
    if np:
        arrays = {k: np.frombuffer(d, np.dtype(t)).reshape(s) for k, (t, _, s, d) in TENSORS.items()}
        np.savez('numpy.npz', **arrays)
        np.savez_compressed('packed.npz', **arrays)
    if np and st:
        st.save_file(arrays, 'own.safetensors', metadata=NOTES)
elif sys.argv[1] == 'check':
    for path in sys.argv[2:]:
        check(path)
        np, st = other('numpy'), other('safetensors.numpy')
        a = np and np.load(path) if path.endswith('.npz') else np and st and st.load_file(path)
        for name, (descr, _, shape, data) in TENSORS.items() if a else ():
            assert a[name].dtype == np.dtype(descr) and a[name].shape == shape and a[name].tobytes() == data
        print(path, 'by NumPy' if a else 'by the standard library')
PYTHON
"$PYTHON" files.py write
for from in plain.npz plain.safetensors own.safetensors; do
    [ -e $from ] || continue
    expect 0 convert $from out.npz
    has out '^out.npz: 3 tensors, 35 bytes$'
    expect 0 convert $from out.safetensors
    "$PYTHON" files.py check out.npz out.safetensors
    expect 0 convert out.npz again.safetensors # and round
    cmp out.safetensors again.safetensors
done
for from in numpy.npz packed.npz; do # these have no texts
    [ -e $from ] || continue
    expect 0 convert $from out.safetensors
    expect 0 convert out.safetensors out.npz
    "$PYTHON" -c "import numpy as np; a, b = np.load('$from'), np.load('out.npz'); assert list(a) == list(b)
assert all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)"
done

head -c 100 plain.npz >cut.npz
refused "cut.npz: not a zip file" convert cut.npz out.safetensors
refused "out.txt: expected a .safetensors or .npz file" convert plain.npz out.txt
refused "can't create" convert plain.npz none/out.npz
