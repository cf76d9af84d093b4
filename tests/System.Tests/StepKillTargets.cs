using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>What the programs of a host do, counted in a file, and a gate at which they wait.</summary>
sealed class CountedPrograms(string work, string steps)
{
    string Effects => Path.Combine(work, "effects");

    /// <summary>The program that stands where the service manager's should be.</summary>
    public string Systemctl => Path.Combine(work, "bin", "systemctl");

    /// <summary>Writes them.</summary>
    /// <returns>The program that runbooks may run.</returns>
    public ProgramSpec Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Systemctl)!);
        Tool.Succeed("mkfifo", Path.Combine(work, "gate"));
        File.WriteAllText(Systemctl, $$"""
            #!/bin/bash
            unit=${!#}
            if [ "$1" = is-active ]; then [ -e "{{work}}/$unit" ]; exit; fi
            echo "$1 $unit" >> "{{Effects}}"
            if [ -e "{{work}}/hold" ]; then read -r _ < "{{work}}/gate"; fi
            if [ "$1" = stop ]; then rm -f "{{work}}/$unit"; else : > "{{work}}/$unit"; fi

            """);
        foreach (var unit in (string[])["old.service", "cache.service"]) File.WriteAllText(Path.Combine(work, unit), "");
        var program = Path.Combine(steps, "move");
        File.WriteAllText(program, $$"""
            #!/bin/bash
            echo "move $1" >> "{{Effects}}"
            if [ -e "{{work}}/hold" ]; then read -r _ < "{{work}}/gate"; fi

            """);
        File.WriteAllLines(Path.Combine(steps, "services"), ["old.service", "main.service", "shop.service", "cache.service"]);
        return new ProgramSpec
        {
            Name = "move",
            Arguments = ["all of it"],
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(program))),
        };
    }

    /// <summary>What was done, in order.</summary>
    public IReadOnlyList<string> Done => File.Exists(Effects) ? File.ReadAllLines(Effects) : [];

    /// <summary>Lets what is done from now on wait when it has done its part; gives what lets it go on.</summary>
    public Func<Task> Hold()
    {
        File.WriteAllText(Path.Combine(work, "hold"), "");
        return () =>
        {
            File.Delete(Path.Combine(work, "hold"));
            Tool.Succeed("sh", "-c", "echo > \"$1\"", "sh", Path.Combine(work, "gate"));
            return Task.CompletedTask;
        };
    }
}

/// <summary>A balancer's runtime API with somebody before it who counts the commands that change something.</summary>
sealed class CountedBalancer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Task _work;

    public CountedBalancer(string api)
    {
        _listener.Start();
        _work = Accept(int.Parse(api.Split(':')[1], CultureInfo.InvariantCulture));
    }

    /// <summary>Where it listens.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>The commands that change something, in order.</summary>
    public ConcurrentQueue<string> Set { get; } = [];

    async Task Accept(int port)
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await Pass(client, port);
            }
        }
        catch (OperationCanceledException) { return; }   // the test is over
    }

    async Task Pass(TcpClient client, int port)
    {
        try
        {
            using var reader = new StreamReader(client.GetStream(), Encoding.ASCII, leaveOpen: true);
            if (await reader.ReadLineAsync(_stop.Token) is not { } line) return;
            if (line.StartsWith("set ", StringComparison.Ordinal)) Set.Enqueue(line);
            using var api = new TcpClient();
            await api.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
            await api.GetStream().WriteAsync(Encoding.ASCII.GetBytes(line + "\n"), _stop.Token);
            await api.GetStream().CopyToAsync(client.GetStream(), _stop.Token);
        }
        catch (IOException) { return; }   // whoever asked is dead
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _listener.Dispose();
        _stop.Dispose();
    }
}
