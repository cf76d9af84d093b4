using System.Diagnostics;
using System.Globalization;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Which locks are removed without being asked: only those of processes that are gone beyond doubt.</summary>
public sealed class DeadLockTests : IAsyncDisposable
{
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    readonly Process _sleeper = Process.Start("sleep", "600");
    readonly List<RemovedLock> _removed = [];

    public async ValueTask DisposeAsync()
    {
        if (!_sleeper.HasExited) await Kill(_sleeper);
        _sleeper.Dispose();
        await _store.DisposeAsync();
    }

    static ProcessBirth Self => ProcessBirth.Self ?? throw new InvalidOperationException("This kernel does not tell of its processes.");

    static ProcessBirth Birth(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var start = ulong.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture);
        return Self with { StartTicks = start };
    }

    LockFile Living => new()
    {
        Time = UnixTime.From(TimeProvider.System.GetUtcNow()),
        IsExclusive = true,
        HostName = Prepared.Options.HostName,
        UserName = "backupdr-gc",
        Pid = _sleeper.Id,
        Birth = Birth(_sleeper.Id),
    };

    static UnixTime MinutesAgo(int minutes) => UnixTime.From(TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(minutes));

    static async Task Kill(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <summary>Whether somebody who needs the repository alone gets past a lock.</summary>
    async Task<bool> IsRemoved(LockFile left)
    {
        using var repository = await Prepared.Init(_store, Prepared.Options with { LockRemoved = _removed.Add });
        await repository.WriteUnpacked(ObjectLayout.Locks, left.Write(), _ct);
        try
        {
            await using var taken = await RepositoryLock.Take(repository, exclusive: true, _ct);
            Assert.Single(_removed);
            return true;
        }
        catch (RepositoryException e)
        {
            Assert.Equal(RepositoryFault.Locked, e.Fault);
            Assert.Empty(_removed);
            Assert.Single(await RepositoryLock.List(repository, _ct));
            return false;
        }
    }

    [Fact, Clause("F-9.5")]
    public void A_lock_says_which_process_wrote_it_and_reads_back_equal()
    {
        var written = Living;

        Assert.Equal(written, LockFile.Read(written.Write(), "lock"));
        Assert.True(Self.PidNamespace > 0 && Self.StartTicks > 0 && Self.Boot.Length == 36);
        Assert.Equal(Birth(Environment.ProcessId), Self);
    }

    [Fact, Clause("F-9.5")]
    public async Task The_lock_of_a_killed_process_goes_and_it_is_said_whose_it_was()
    {
        var left = Living;
        await Kill(_sleeper);

        Assert.True(await IsRemoved(left));
        Assert.Contains($"backupdr-gc on here (process {left.Pid})", Assert.Single(_removed).ToString(), StringComparison.Ordinal);
    }

    [Fact, Clause("F-9.5")]
    public async Task The_lock_of_a_living_process_stays_however_old_it_is()
        => Assert.False(await IsRemoved(Living with { Time = MinutesAgo(10_000) }));

    [Fact, Clause("F-9.5")]
    public async Task A_number_that_another_process_has_by_now_is_no_sign_of_life()
    {
        var birth = Birth(_sleeper.Id);

        Assert.True(await IsRemoved(Living with { Birth = birth with { StartTicks = birth.StartTicks - 1 } }));
    }

    [Fact, Clause("F-9.5")]
    public async Task A_process_that_has_ended_and_was_not_asked_how_is_dead()
    {
        // The shell becomes another program, which knows nothing of the child that it has.
        using var parent = Process.Start(new ProcessStartInfo("sh", ["-c", "sleep 0.1 & echo $!; exec sleep 600"])
        {
            RedirectStandardOutput = true,
        })!;
        var pid = int.Parse((await parent.StandardOutput.ReadLineAsync(_ct))!, CultureInfo.InvariantCulture);
        var birth = Birth(pid);
        var begun = TimeProvider.System.GetTimestamp();
        while (!File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal))
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(20), "the child did not end");

        Assert.True(await IsRemoved(Living with { Pid = pid, Birth = birth }));
        await Kill(parent);
    }

    public static TheoryData<string> Elsewhere =>
        ["host", "pid namespace", "time namespace", "kernel", "machine", "clone, young", "restic", "no boot"];

    [Theory, MemberData(nameof(Elsewhere)), Clause("F-9.5")]
    public async Task What_cannot_be_seen_from_here_is_not_judged(string where)
    {
        var (left, birth) = (Living, Birth(_sleeper.Id));
        await Kill(_sleeper);
        var other = birth with { Boot = "6c1f1d7e-0000-4000-8000-000000000000" };
        var old = MinutesAgo(10_000);

        Assert.False(await IsRemoved(where switch
        {
            "host" => left with { HostName = "there" },
            "pid namespace" => left with { Birth = birth with { PidNamespace = birth.PidNamespace + 1 }, Time = old },
            "time namespace" => left with { Birth = birth with { TimeNamespace = birth.TimeNamespace + 1 }, Time = old },
            "kernel" => left with { Birth = other with { Machine = "" }, Time = old },
            "machine" => left with { Birth = other with { Machine = new string('0', 32) }, Time = old },
            "clone, young" => left with { Birth = other, Time = MinutesAgo(29) },
            "restic" => left with { Birth = null, UserName = "root", Time = old },
            _ => left with { Birth = birth with { Boot = "", Machine = "" }, Time = old },
        }));
    }

    [Fact, Clause("F-9.5")]
    public async Task After_a_restart_of_the_machine_a_lock_goes_when_its_owner_would_have_stopped()
    {
        Assert.SkipWhen(Self.Machine.Length == 0, "This machine has no /etc/machine-id.");
        var other = Birth(_sleeper.Id) with { Boot = "6c1f1d7e-0000-4000-8000-000000000000" };

        Assert.True(await IsRemoved(Living with { Birth = other, Time = MinutesAgo(31) }));
    }

    [Theory, Clause("F-9.4")]
    [InlineData(true, 0, 1)]
    [InlineData(false, 0, 0)]
    [InlineData(false, 31, 1)]
    public async Task Unlock_leaves_a_young_lock_of_another_namespace_of_this_host_alone(bool isHere, int minutes, int removed)
    {
        var birth = Birth(_sleeper.Id);
        var left = Living with
        {
            Time = MinutesAgo(minutes),
            Birth = isHere ? birth : birth with { PidNamespace = birth.PidNamespace + 1 },
        };
        await Kill(_sleeper);
        using var repository = await Prepared.Init(_store);
        await repository.WriteUnpacked(ObjectLayout.Locks, left.Write(), _ct);

        Assert.Equal(removed, await RepositoryLock.RemoveStale(repository, _ => false, all: false, _ct));
    }
}
