using BackupDr.Contracts;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Storage.Tests;

/// <summary>Facts about the runtime that the POSIX layer exists for, and that the layer does better. When one of the runtime's facts
/// changes,
/// its test fails here and the layer can shrink.</summary>
public sealed class RuntimeFactsTests : IDisposable
{
    const string Name = "object";
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData("EIO")]
    [InlineData("ENOSPC")]
    [InlineData("EDQUOT")]
    public void A_failed_fsync_is_hidden_by_the_runtime_and_told_by_the_layer(string errno)
    {
        var runtime = Traced.Run(typeof(RuntimeFactsTests), nameof(The_runtimes_flush_says_nothing), _scratch.Path,
            $"-einject=fsync,fdatasync:error={errno}");
        var layer = Traced.Run(typeof(RuntimeFactsTests), nameof(The_layers_sync_throws), _scratch.Path,
            $"-einject=fsync,fdatasync:error={errno}");

        Assert.True(runtime.ExitCode == 0, $"The runtime now reports a failed fsync: {runtime.Output}");
        Assert.True(layer.ExitCode == 0, layer.Output);
        Assert.Contains(Traced.Trace(_scratch.Path), line => line.Contains($"= -1 {errno}", StringComparison.Ordinal));
    }

    [Fact(Explicit = true)]
    public void The_runtimes_flush_says_nothing()
    {
        using var stream = new FileStream(Path.Combine(Traced.Folder, Name), FileMode.Create);
        stream.WriteByte(1);

#pragma warning disable RS0030 // Banned for exactly what this test pins down.
        Assert.Null(Record.Exception(() => stream.Flush(flushToDisk: true)));
        Assert.Null(Record.Exception(() => RandomAccess.FlushToDisk(stream.SafeFileHandle)));
#pragma warning restore RS0030
    }

    [Fact(Explicit = true)]
    public void The_layers_sync_throws()
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Traced.Folder));
        using var file = folder.OpenAt("layer"u8, OpenFlags.WriteOnly | OpenFlags.Create, 0x180);
        file.WriteAt(0, [1]);

        Assert.Throws<PosixException>(file.Sync);
        Assert.Throws<PosixException>(file.SyncContent);
        Assert.Throws<PosixException>(folder.Sync);
    }

    [Fact]
    public void A_descriptor_whose_fsync_failed_is_never_believed_again()
    {
        // The first fsync fails, the second would succeed although the kernel has dropped the pages.
        var inner = Traced.Run(typeof(RuntimeFactsTests), nameof(The_second_sync_throws_too), _scratch.Path,
            "-einject=fsync:error=EIO:when=1");

        Assert.True(inner.ExitCode == 0, inner.Output);
    }

    [Fact(Explicit = true)]
    public void The_second_sync_throws_too()
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Traced.Folder));
        using var file = folder.OpenAt("layer"u8, OpenFlags.WriteOnly | OpenFlags.Create, 0x180);

        Assert.Throws<PosixException>(file.Sync);
        Assert.Equal(Errno.EIO, Assert.Throws<PosixException>(file.Sync).Errno);
    }

    [Fact]
    public void A_folder_cannot_be_opened_by_the_runtime_and_is_synced_by_the_layer()
    {
        Assert.Throws<UnauthorizedAccessException>(() => File.OpenHandle(_scratch.Path));

        using var folder = Descriptor.OpenFolder(_scratch.FilePath);

        Assert.Null(Record.Exception(folder.Sync));
    }

    [Fact]
    public void Names_that_are_no_utf8_are_one_to_the_runtime_and_two_to_the_layer()
    {
        byte[][] names = [[.. "latin1-"u8, 0xE9], [.. "latin1-"u8, 0xEA]];
        using var folder = Descriptor.OpenFolder(_scratch.FilePath);
        foreach (var name in names) folder.OpenAt(name, OpenFlags.WriteOnly | OpenFlags.Create, 0x180).Dispose();

        var listed = Directory.GetFiles(_scratch.Path);

        Assert.Equal(listed[0], listed[1]);
        Assert.False(File.Exists(listed[0]));
        Assert.Equal(names, Listing.Names(folder));
    }
}
