using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A block device, or a file with the image of one, as something to back up: one file of the snapshot, so that any program that
/// knows the format puts it back. A device stands there with its bytes, not as a device node.</summary>
sealed class VolumeSource : IItemSource
{
    const int FilePermissions = 0x180;   // 0600

    readonly FilePath _path;
    readonly Node _node;
    readonly bool _isDevice;

    /// <param name="path">Absolute path; of a device also a link to it, such as those in <c>/dev/disk/by-id</c>.</param>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    public VolumeSource(string path)
    {
        _path = FilePath.FromText(path);
        using var opened = Open();
        var node = NodeReader.OfOpen(opened, _path.Name);
        _isDevice = node.Type == NodeType.Dev;
        _node = !_isDevice ? node : node with
        {
            Type = NodeType.File,
            Permissions = FilePermissions,
            SizeBytes = (ulong)opened.LengthBytes(),
            Links = 1,
            Device = 0,
            Xattrs = [],
        };
    }

    /// <summary>Bytes of it.</summary>
    public long SizeBytes => (long)_node.SizeBytes;

    public IReadOnlyList<FilePath> Paths => [_path];

    // Nothing tells whether a device was written to.
    public bool IsSettled(FilePath path, Node file) => !_isDevice;

    public ISourceFolder OpenRoot(ISourceProblems problems)
        => new MadeFolder([MadeEntry.Below(_path.ToString(), new MadeEntry(_node, null, OpenFile))]);

    Descriptor Open() => Descriptor.Open(_path, OpenFlags.ReadOnly | OpenFlags.NonBlocking);

    ISourceFile? OpenFile(ISourceProblems problems)
    {
        if (_isDevice) return new DeviceFile(Open(), _node);
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(_path.ToString())!));
        return DiskFile.Open(folder, FilePath.FromText(Path.GetDirectoryName(_path.ToString())!), _node, problems) is { } file
            ? new ChunkedFile(file, FixedSize.DefaultBytes) : null;
    }

    public void Dispose() => GC.SuppressFinalize(this);

    sealed class DeviceFile(Descriptor device, Node node) : ISourceFile
    {
        public long SizeBytes => (long)node.SizeBytes;
        public int? ChunkBytes => FixedSize.DefaultBytes;
        public int Read(long offset, Span<byte> target) => device.ReadAt(offset, target);
        public Node Stat() => node;
        public void Dispose() => device.Dispose();
    }
}
