using BackupDr.Contracts;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Sources.Tests;

/// <summary>The comparison that all round trips rest on sees each kind of difference.</summary>
public sealed class FsDiffTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<string, string> Changes => new()
    {
        { "printf y | dd of=file bs=1 seek=5000 conv=notrunc status=none", "/file: bytes differ from 5000" },
        { "truncate -s 9999 file", "/file: 10000 and 9999 bytes" },
        { "chmod u+s file", "/file: mode 644 and 4644" },
        { "touch -d '2020-01-01T00:00:00.000000001Z' file", "/file: modified" },
        { "touch -d '2020-01-01' folder", "/folder: modified" },
        { "touch -h -d '2020-01-01' link", "/link: modified" },
        { "rm file-b; cp -p file file-b", "/file-b: linked with" },
        { "ln -snf elsewhere link", "/link: leads to" },
        { "rm folder/inner", "/folder/inner: only left" },
        { "touch folder/more", "/folder/more: only right" },
        { "rm fifo; touch fifo", "/fifo: Fifo and File" },
        { "cp --sparse=never -p sparse x; mv x sparse", "/sparse: holes filled" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_is_seen(string command, string difference)
    {
        var left = _scratch.Folder("left");
        Tool.Succeed("sh", "-ec",
            $"cd '{left}'; umask 022; head -c 10000 /dev/zero | tr '\\0' a > file; ln file file-b; mkdir folder; touch folder/inner;"
            + "ln -s nowhere link; mkfifo fifo; truncate -s 1M sparse");
        Tool.Succeed("cp", "-a", left, _scratch.At("right"));
        Assert.Empty(FsDiff.Compare(FilePath.FromText(left), FilePath.FromText(_scratch.At("right"))));

        Tool.Succeed("sh", "-ec", $"cd '{_scratch.At("right")}'; umask 022; {command}");

        Assert.Contains(FsDiff.Compare(FilePath.FromText(left), FilePath.FromText(_scratch.At("right"))),
            line => line.StartsWith(difference, StringComparison.Ordinal));
    }

    [Fact]
    public void Attributes_owners_and_devices_are_seen()
    {
        Mount.NeedRoot();
        foreach (var side in (string[])["left", "right"])
        {
            using var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.Folder(side)));
            using var file = folder.OpenAt("file"u8, OpenFlags.WriteOnly | OpenFlags.Create, 0x1A4);
            file.TrySetOwner(side == "left" ? 1u : 2u, 0);
            file.TrySetAttribute("user.note", side == "left" ? [1] : [2]);
            folder.TryMakeNode("device"u8, FileKind.CharDevice, 0x1A4, side == "left" ? 259u : 260u);
        }

        var differences = FsDiff.Compare(FilePath.FromText(_scratch.At("left")), FilePath.FromText(_scratch.At("right")));

        Assert.Contains("/file: owner 1:0 and 2:0", differences);
        Assert.Contains("/file: attributes [user.note=01] and [user.note=02]", differences);
        Assert.Contains("/device: device 259 and 260", differences);
    }
}
