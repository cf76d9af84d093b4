using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace BackupDr.TestKit;

/// <summary>
/// A second machine for tests: its own network, mount and host-name namespaces on this one, joined to it by a cable (a veth pair).
/// </summary>
/// <remarks>
/// Folders named as hidden are covered by empty ones, so a program that works here needs neither the SDK nor the checkout. Needs root,
/// iproute2 and util-linux. Everything is taken down by <see cref="DisposeAsync"/>; the namespaces live as long as one keeper process.
/// </remarks>
public sealed class IsolatedHost : IAsyncDisposable
{
    readonly string _network;
    readonly string _cable;
    readonly Process _keeper;
    readonly string _scratch;

    IsolatedHost(string name, string network, string cable, Process keeper, string scratch, string outerAddress, string innerAddress)
    {
        (Name, _network, _cable, _keeper, _scratch) = (name, network, cable, keeper, scratch);
        (OuterAddress, InnerAddress) = (outerAddress, innerAddress);
    }

    /// <summary>The host name inside.</summary>
    public string Name { get; }

    /// <summary>Address by which programs inside reach this machine.</summary>
    public string OuterAddress { get; }

    /// <summary>Address by which this machine reaches programs inside.</summary>
    public string InnerAddress { get; }

    /// <summary>Why such a host cannot be made here, or null.</summary>
    public static string? Missing()
    {
        if (!Environment.IsPrivilegedProcess) return "root";
        foreach (var tool in (string[])["/usr/sbin/ip", "/usr/bin/unshare", "/usr/bin/nsenter"])
            if (!File.Exists(tool) && !File.Exists(tool.Replace("/usr", "", StringComparison.Ordinal)))
                return tool == "/usr/sbin/ip" ? "iproute2" : "util-linux";
        return null;
    }

    /// <summary>The two usable addresses of a net of four: of so many that no two hosts of this machine have the same.</summary>
    static (string Outer, string Inner) Cable()
    {
        const int NetsOfByte = 64;
        var net = RandomNumberGenerator.GetInt32(0, 256 * NetsOfByte);
        var (third, first) = (net / NetsOfByte, net % NetsOfByte * 4);
        return (string.Create(CultureInfo.InvariantCulture, $"10.213.{third}.{first + 1}"),
            string.Create(CultureInfo.InvariantCulture, $"10.213.{third}.{first + 2}"));
    }

    /// <summary>Makes one.</summary>
    /// <param name="name">Host name inside, letters and digits.</param>
    /// <param name="hidden">Absolute folders that are empty inside. Those that do not exist are left out.</param>
    /// <param name="writable">Absolute folders that get an own empty, writable file system inside, so that nothing installed there stays
    /// here.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<IsolatedHost> Start(string name, IReadOnlyList<string> hidden, IReadOnlyList<string> writable,
        CancellationToken ct)
    {
        var tag = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3));
        var network = $"bdr-{tag}";
        var cable = $"bdr{tag}o";
        var (outer, inner) = Cable();
        var scratch = Directory.CreateTempSubdirectory("bdr-host-").FullName;
        await Run("ip", ["netns", "add", network], ct);
        try
        {
            await Run("ip", ["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", network], ct);
            await Run("ip", ["addr", "add", $"{outer}/30", "dev", cable], ct);
            await Run("ip", ["link", "set", cable, "up"], ct);
            await Run("ip", ["-n", network, "addr", "add", $"{inner}/30", "dev", "eth0"], ct);
            await Run("ip", ["-n", network, "link", "set", "eth0", "up"], ct);
            await Run("ip", ["-n", network, "link", "set", "lo", "up"], ct);
            var empty = Directory.CreateDirectory(Path.Combine(scratch, "empty")).FullName;
            var script = "set -e; hostname \"$1\"; shift; empty=$1; shift; "
                + "while [ \"$1\" != -- ]; do mount -t tmpfs tmpfs \"$1\"; shift; done; shift; "
                + "for folder in \"$@\"; do [ -d \"$folder\" ] && mount --bind \"$empty\" \"$folder\"; done; echo ready; exec cat";
            var start = new ProcessStartInfo("ip") { RedirectStandardInput = true, RedirectStandardOutput = true };
            foreach (var word in (string[])["netns", "exec", network, "unshare", "-m", "-u", "--propagation", "private", "sh", "-c",
                script, "sh", name, empty, .. writable, "--", .. hidden])
                start.ArgumentList.Add(word);
            var keeper = Process.Start(start) ?? throw new InvalidOperationException("The keeper of the namespaces did not start.");
            var host = new IsolatedHost(name, network, cable, keeper, scratch, outer, inner);
            if (await keeper.StandardOutput.ReadLineAsync(ct) == "ready") return host;
            await host.DisposeAsync();
            throw new InvalidOperationException($"The namespaces of host {name} could not be set up.");
        }
        catch
        {
            await Run("ip", ["netns", "del", network], CancellationToken.None);
            throw;
        }
    }

    /// <summary>A command that runs inside, as root, with its output redirected. The caller starts and disposes it.</summary>
    public ProcessStartInfo Command(params IReadOnlyList<string> words)
    {
        var start = new ProcessStartInfo("nsenter")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true
        };
        foreach (var word in (string[])["-t", _keeper.Id.ToString(CultureInfo.InvariantCulture), "-m", "-u", "-n", "--", .. words])
            start.ArgumentList.Add(word);
        start.Environment.Remove("DOTNET_ROOT");
        return start;
    }

    /// <summary>Runs a shell line inside to its end.</summary>
    public async Task<(int ExitCode, string Output)> Shell(string line, CancellationToken ct)
    {
        using var process = Process.Start(Command("sh", "-c", line)) ?? throw new InvalidOperationException("nsenter did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var errors = process.StandardError.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        return (process.ExitCode, await output + await errors);
    }

    /// <summary>Ends what runs inside and takes the namespaces down.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var pid in await Pids()) TryKill(pid);
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
        _keeper.Dispose();
        await Run("ip", ["netns", "del", _network], CancellationToken.None);
        await Run("ip", ["link", "del", _cable], CancellationToken.None, mayFail: true);   // gone with the namespace as a rule
        Directory.Delete(_scratch, recursive: true);
    }

    async Task<List<int>> Pids()
    {
        var text = await Run("ip", ["netns", "pids", _network], CancellationToken.None, mayFail: true);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => int.Parse(line, CultureInfo.InvariantCulture))
            .Where(pid => pid != _keeper.Id)];
    }

    static void TryKill(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (ArgumentException) { return; }   // it ended by itself meanwhile
        catch (InvalidOperationException) { return; }
    }

    static async Task<string> Run(string program, IReadOnlyList<string> words, CancellationToken ct, bool mayFail = false)
    {
        var start = new ProcessStartInfo(program, words) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        var output = process.StandardOutput.ReadToEndAsync(ct);
        var errors = await process.StandardError.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        if (process.ExitCode != 0 && !mayFail) throw new InvalidOperationException($"{program} {string.Join(' ', words)}: {errors.Trim()}");
        return await output;
    }
}
