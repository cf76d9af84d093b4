using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace BackupDr.TestKit.Servers;

/// <summary>What a mail server does with the next conversation.</summary>
public enum MailMood
{
    /// <summary>Takes the mail.</summary>
    Takes,
    /// <summary>Says 451 to the recipients: try again later.</summary>
    Defers,
    /// <summary>Says 554 to the recipients.</summary>
    Refuses,
    /// <summary>Takes the mail and goes away before it says so.</summary>
    CutAfterData,
}

/// <summary>A mail that was taken.</summary>
public sealed record TakenMail(string From, IReadOnlyList<string> To, string Headers, string Body)
{
    /// <summary>The value of a header, unfolded.</summary>
    public string Header(string name) => Headers.Replace("\r\n ", " ", StringComparison.Ordinal).Split("\r\n")
        .First(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))[(name.Length + 1)..].Trim();

    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Convert.FromBase64String(Body.Replace("\r\n", "", StringComparison.Ordinal)));
}

/// <summary>A mail server on loopback that speaks SMTP (RFC 5321), with moods.</summary>
public sealed class MailServer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Task _work;

    public MailServer()
    {
        _listener.Start();
        _work = Accept();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What it shows for TLS; null where it does not encrypt.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Whether it encrypts from the first byte; else after STARTTLS, where it has a certificate.</summary>
    public bool EncryptsAtOnce { get; init; }

    /// <summary>The user and password that it wants before a mail; null for nobody's.</summary>
    public (string User, string Password)? Wants { get; init; }

    /// <summary>Abilities beside the greeting, for example "AUTH PLAIN".</summary>
    public IReadOnlyList<string> Abilities { get; set; } = [];

    /// <summary>One for each conversation; then it takes.</summary>
    public ConcurrentQueue<MailMood> Moods { get; } = [];

    /// <summary>What it took, also where it did not say so.</summary>
    public ConcurrentQueue<TakenMail> Mails { get; } = [];

    /// <summary>Every line that it was told, mails left out.</summary>
    public ConcurrentQueue<string> Heard { get; } = [];

    async Task Accept()
    {
        try
        {
            while (true) _ = Talk(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (OperationCanceledException) { return; }   // the test is over
    }

    async Task Talk(TcpClient client)
    {
        using var connection = client;
        try
        {
            await using var plain = client.GetStream();
            Stream stream = EncryptsAtOnce ? await Encrypted(plain) : plain;
            await Say(stream, "220 mail.test ready");
            var mood = Moods.TryDequeue(out var next) ? next : MailMood.Takes;
            if (!await Converse(stream, mood)) return;
            await using var encrypted = await Encrypted(plain);
            await Converse(encrypted, mood);
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            return;   // the other side went away, or does not trust us
        }
    }

    async Task<SslStream> Encrypted(Stream plain)
    {
        var encrypted = new SslStream(plain);
        await encrypted.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = Certificate }, _stop.Token);
        return encrypted;
    }

    IReadOnlyList<string> AbilitiesOf(Stream stream) => stream is SslStream || Certificate is null ? Abilities : ["STARTTLS"];

    /// <summary>True where it is to go on encrypted.</summary>
    async Task<bool> Converse(Stream stream, MailMood mood)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        var (from, to, isIn) = ("", new List<string>(), Wants is null);
        while (await reader.ReadLineAsync(_stop.Token) is { } line)
        {
            Heard.Enqueue(line);
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            if (verb == "EHLO")
            {
                string[] lines = ["mail.test", .. AbilitiesOf(stream)];
                foreach (var (text, at) in lines.Select((text, at) => (text, at)))
                    await Say(stream, $"250{(at == lines.Length - 1 ? ' ' : '-')}{text}");
            }
            else if (verb == "STARTTLS" && Certificate is not null)
            {
                await Say(stream, "220 go ahead");
                return true;
            }
            else if (verb == "AUTH")
            {
                isIn = Wants is null || await SaidRightly(stream, reader, line);
                await Say(stream, isIn ? "235 welcome" : "535 5.7.8 user or password are wrong");
            }
            else if (!isIn && verb != "QUIT") await Say(stream, "530 5.7.0 sign in first");
            else if (verb == "MAIL")
            {
                from = line[(line.IndexOf('<') + 1)..line.IndexOf('>')];
                await Say(stream, "250 sender ok");
            }
            else if (verb == "RCPT")
            {
                to.Add(line[(line.IndexOf('<') + 1)..line.IndexOf('>')]);
                await Say(stream, mood switch
                {
                    MailMood.Defers => "451 4.7.1 greylisted, try again later",
                    MailMood.Refuses => "554 5.7.1 not here",
                    _ => "250 recipient ok",
                });
            }
            else if (verb == "DATA")
            {
                await Say(stream, "354 go ahead");
                Mails.Enqueue(await Mail(reader, from, to));
                if (mood == MailMood.CutAfterData) return false;
                await Say(stream, $"250 2.0.0 queued as {Mails.Count}");
            }
            else if (verb == "QUIT")
            {
                await Say(stream, "221 bye");
                return false;
            }
            else await Say(stream, "502 not understood");
        }
        return false;
    }

    /// <summary>AUTH PLAIN with everything in its line, or AUTH LOGIN with two questions.</summary>
    async Task<bool> SaidRightly(Stream stream, StreamReader reader, string line)
    {
        var (user, password) = Wants!.Value;
        if (line.StartsWith("AUTH PLAIN ", StringComparison.Ordinal)) return Plain(line["AUTH PLAIN ".Length..]) == $"\0{user}\0{password}";
        await Say(stream, "334 VXNlcm5hbWU6");
        var name = Plain(await reader.ReadLineAsync(_stop.Token) ?? "");
        await Say(stream, "334 UGFzc3dvcmQ6");
        return (name, Plain(await reader.ReadLineAsync(_stop.Token) ?? "")) == (user, password);
    }

    static string Plain(string text) => Encoding.UTF8.GetString(Convert.FromBase64String(text));

    async Task<TakenMail> Mail(StreamReader reader, string from, List<string> to)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync(_stop.Token) is { } line && line != ".") lines.Add(line.StartsWith('.') ? line[1..] : line);
        var split = lines.IndexOf("");
        return new TakenMail(from, to, string.Join("\r\n", lines.Take(split)), string.Join("\r\n", lines.Skip(split + 1)));
    }

    static async Task Say(Stream stream, string line) => await stream.WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _work;
        _stop.Dispose();
    }
}
