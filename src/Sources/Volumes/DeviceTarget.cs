using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A block device that a restore writes onto. What it holds already is compared, and only what differs is written.</summary>
sealed class DeviceTarget : IRestoreTarget
{
    readonly Descriptor _device;

    DeviceTarget(Descriptor device) => _device = device;

    /// <summary>Opens it for nobody else: the kernel refuses that while it is mounted or part of something.</summary>
    /// <exception cref="ConflictException">It is in use.</exception>
    /// <exception cref="BadInputException">It is too small.</exception>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    public static DeviceTarget Open(string path, long sizeBytes)
    {
        Descriptor device;
        try { device = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadWrite | OpenFlags.Exclusive | OpenFlags.NonBlocking); }
        catch (PosixException e) when (e.Errno == Errno.EBUSY)
        {
            var use = BlockDevices.Find(DeviceNumber.Of(Descriptor.StatOf(FilePath.FromText(path), follow: true).Device))?.Use;
            throw new ConflictException("volume.busy", $"{path} is {(use is { Length: > 0 } ? use : "in use")}.",
                "Unmount it, or take it out of what it is part of.");
        }
        if (device.LengthBytes() is var room && room >= sizeBytes) return new DeviceTarget(device);
        device.Dispose();
        throw new BadInputException("--target", $"{path} has {room} bytes; the volume has {sizeBytes}.", "Name a device that is as large.");
    }

    public void MakeFolder(IReadOnlyList<FilePath> path, Node folder) => throw Unexpected(folder);

    public RestoreChoice Look(IReadOnlyList<FilePath> path, Node node) => RestoreChoice.Replace;

    public IExistingFile? OpenExisting(IReadOnlyList<FilePath> path, Node file) => new Content(_device, (long)file.SizeBytes);

    public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file) => new Content(_device, (long)file.SizeBytes);

    public void MakeSpecial(IReadOnlyList<FilePath> path, Node node) => throw Unexpected(node);

    public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node) => throw Unexpected(node);

    public void FinishFolder(IReadOnlyList<FilePath> path, Node folder) => throw Unexpected(folder);

    static InvalidOperationException Unexpected(Node node) => new($"A device holds no {node.Type}.");

    public void Complete() => _device.Sync();

    public void Dispose() => _device.Dispose();

    /// <summary>The device as the file that it was backed up as; what lies behind its end stays as it is.</summary>
    sealed class Content(Descriptor device, long sizeBytes) : IExistingFile
    {
        public long SizeBytes => sizeBytes;
        public bool IsShared => false;
        public int Read(long offset, Span<byte> target)
            => device.FillAt(offset, target[..(int)Math.Min(target.Length, sizeBytes - offset)]);
        public bool TryBeginMending() => true;   // what a broken-off restore leaves is compared anew by the next
        public void Write(long offset, ReadOnlySpan<byte> data) => device.WriteAt(offset, data);
        public void Finish(Node file) => GC.KeepAlive(file);   // owner and times are the device node's own
        public void Dispose() => GC.SuppressFinalize(this);
    }
}
