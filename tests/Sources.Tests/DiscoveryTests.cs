using System.Diagnostics;
using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Sources.PostgreSql;
using BackupDr.Sources.Volumes;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

public sealed class DiscoveryTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void The_table_of_mounts_is_read_with_the_spaces_in_its_names_and_without_lines_that_make_no_sense()
    {
        const string table = """
            28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            40 28 0:44 /@home /srv/with\040space\134and\011more rw - btrfs /dev/vdb rw,subvol=/@home
            rubbish
            41 28 8:17 / /srv ro master:1 shared:7 - xfs /dev/sdb1 ro
            """;

        var mounts = MountTable.Parse(Encoding.UTF8.GetBytes(table));

        Assert.Equal(
        [
            new MountPoint(Path("/"), "ext4", "/dev/vda", "254:0", Path("/"), false),
            new MountPoint(Path("/srv/with space\\and\tmore"), "btrfs", "/dev/vdb", "0:44", Path("/@home"), false),
            new MountPoint(Path("/srv"), "xfs", "/dev/sdb1", "8:17", Path("/"), true),
        ], mounts);
        Assert.Equal("/srv", MountTable.Of(mounts, Path("/srv/data"))!.Path.ToString());
        Assert.Equal("/", MountTable.Of(mounts, Path("/srvother"))!.Path.ToString());
    }

    [Fact]
    public void A_disk_is_found_while_nobody_has_it_and_then_as_the_file_system_on_it()
    {
        Mount.NeedRoot();
        using var disk = Mount.Ext4(_scratch.At("disk"), 16);
        var device = MountTable.Of(MountTable.Read(), Path(disk.Path))!.Device;

        Assert.Equal($"mounted at {disk.Path}", Assert.Single(BlockDevices.List(), one => one.Path == device).Use);
        var found = Assert.Single(FoundMounts.Find(), one => one.Mount.Path == Path(disk.Path));
        Assert.Equal("ext4", found.Mount.FileSystem);
        Assert.InRange(found.SizeBytes, 8 << 20, 16 << 20);
        using (var idle = new LoopDevice(_scratch.At("idle.img"), 4 << 20))
            Assert.Equal(("", 4 << 20), Assert.Single(BlockDevices.List(), one => one.Path == idle.Path) is var one
                ? (one.Use, one.SizeBytes) : default);
    }

    [Fact]
    public async Task A_subvolume_is_found_and_snapshots_of_it_are_not()
    {
        using var disk = Mount.Btrfs(_scratch.At("disk"));
        Tool.Succeed("btrfs", "subvolume", "create", $"{disk.Path}/data");
        Tool.Succeed("btrfs", "subvolume", "create", $"{disk.Path}/data/inner");
        Tool.Succeed("btrfs", "subvolume", "snapshot", "-r", $"{disk.Path}/data", $"{disk.Path}/yesterday");
        Directory.CreateDirectory(_scratch.At("again"));
        Tool.Succeed("mount", "-o", "subvol=data", MountTable.Of(MountTable.Read(), Path(disk.Path))!.Device, _scratch.At("again"));
        try
        {
            var mounts = MountTable.Read();

            Assert.Equal([Path($"{disk.Path}/data"), Path($"{disk.Path}/data/inner")],
                await Subvolumes.Below(MountTable.Of(mounts, Path(disk.Path))!, default));
            Assert.Equal([Path(_scratch.At("again/inner"))],
                await Subvolumes.Below(MountTable.Of(mounts, Path(_scratch.At("again")))!, default));
        }
        finally { Tool.Succeed("umount", _scratch.At("again")); }
    }

    [Fact]
    public void A_size_is_told_where_that_takes_no_long_walk()
    {
        _scratch.File("small/a", "12345");
        _scratch.File("small/deep/b", "678");
        var wide = Directory.CreateDirectory(_scratch.At("wide"));
        for (var number = 0; number <= FolderSize.MostEntries; number++) File.Create($"{wide.FullName}/{number}").Dispose();

        Assert.Equal(8, FolderSize.Of(_scratch.At("small")));
        Assert.Equal(5, FolderSize.Of(_scratch.At("small/a")));
        Assert.Null(FolderSize.Of(wide.FullName));
        Assert.Null(FolderSize.Of(_scratch.At("gone")));
    }

    [Fact]
    public async Task A_server_that_ended_and_whose_parent_did_not_ask_yet_does_not_run()
    {
        File.Copy("/bin/sleep", _scratch.At("postgres"));
        File.SetUnixFileMode(_scratch.At("postgres"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // The shell becomes a program that never asks for its child.
        using var parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "\"$0\" 600 >&2 & echo $!; exec sleep 600",
            _scratch.At("postgres")])
        { RedirectStandardOutput = true })!;
        try
        {
            var pid = (await parent.StandardOutput.ReadLineAsync(CancellationToken.None))!;
            var cluster = _scratch.Folder("cluster");
            _scratch.File("cluster/PG_VERSION", "15\n");
            _scratch.File("cluster/postmaster.pid", $"{pid}\n{cluster}\n");
            bool Is(char state) => File.ReadAllText($"/proc/{pid}/stat").Split(") ")[^1][0] == state;
            Assert.True(SpinWait.SpinUntil(() => ClusterDiscovery.RunningIn(cluster) == int.Parse(pid, CultureInfo.InvariantCulture),
                Patience), "the server does not run");

            Tool.Succeed("kill", "-KILL", pid);
            Assert.True(SpinWait.SpinUntil(() => Is('Z'), Patience), "the server does not end");

            Assert.Null(ClusterDiscovery.RunningIn(cluster));
            Assert.False(ClusterDiscovery.In(cluster)!.IsRunning);
        }
        finally
        {
            parent.Kill();
            await parent.WaitForExitAsync(CancellationToken.None);
        }
    }

    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    static FilePath Path(string text) => FilePath.FromText(text);
}
