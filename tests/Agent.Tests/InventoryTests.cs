using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class InventoryTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_look_that_hangs_is_not_waited_for_and_not_begun_twice()
    {
        var (begun, hang) = (0, new TaskCompletionSource());
        var look = new LimitedLook<int>(async ct =>
        {
            if (Interlocked.Increment(ref begun) == 2) await hang.Task;
            return [begun];
        });

        Assert.Equal([1], await look.Within(TimeSpan.FromMinutes(1), default));
        Assert.Equal([1], await look.Within(TimeSpan.FromMilliseconds(1), default));   // what was found before
        Assert.Equal([1], await look.Within(TimeSpan.FromMilliseconds(1), default));
        hang.SetResult();
        Assert.Equal([2], await look.Within(TimeSpan.FromMinutes(1), default));
        Assert.Equal(2, begun);
    }

    [Fact]
    public async Task A_host_is_found_with_its_file_systems_and_without_what_up_keeps_itself()
    {
        using var disk = Mount.Ext4(_scratch.At("disk"), 16);
        using var own = Mount.Ext4(_scratch.At("up/inside"), 16);
        _scratch.File("up/up.lock");

        var found = await new Inventory(new AgentState(_scratch.At("up/agent"))).Look(default);

        var one = Assert.Single(found.Sources!, one => one.Path == FilePath.FromText(disk.Path));
        Assert.Equal(FoundKind.FileSystem, one.Kind);
        Assert.StartsWith("ext4 on /dev/", one.Detail, StringComparison.Ordinal);
        Assert.InRange(one.SizeBytes!.Value, 0, 8 << 20);
        Assert.Contains(found.Mounts, mount => mount.Path == FilePath.FromText(own.Path));
        Assert.DoesNotContain(found.Sources!, one => one.Path == FilePath.FromText(own.Path));
        Assert.True(found.Processors > 0 && found.MemoryBytes > 0);
    }
}
