using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Storage.Http;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>What a mail server said: a code of three digits and its words.</summary>
readonly record struct SmtpReply(int Code, string Text)
{
    public override string ToString() => $"{Code} {Text}".TrimEnd();
}

/// <summary>A mail server refused, or spoke no SMTP. The message is its own reply.</summary>
sealed class SmtpRefusedException(string message) : Exception(message);

/// <summary>One conversation with a mail server (RFC 5321), as small as sending one mail needs.</summary>
sealed class SmtpSession : IAsyncDisposable
{
    const int LongestReply = 8 << 10, LongestLine = 2 << 10;

    readonly X509Certificate2Collection _authorities;
    Stream _stream;
    readonly byte[] _buffer = new byte[4 << 10];
    int _at, _filled;

    SmtpSession(Stream stream, X509Certificate2Collection authorities) => (_stream, _authorities) = (stream, authorities);

    /// <summary>What the server can do, by the last EHLO.</summary>
    public IReadOnlyList<string> Abilities { get; private set; } = [];

    /// <summary>Whether what is said now is encrypted.</summary>
    public bool IsEncrypted => _stream is SslStream;

    /// <summary>Connects, greets and encrypts as wanted.</summary>
    /// <param name="host">The server.</param>
    /// <param name="port">Its port.</param>
    /// <param name="security">How it is encrypted.</param>
    /// <param name="authorities">Who may vouch for it beside those that this machine knows.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="SmtpRefusedException">The server refuses, or offers no STARTTLS.</exception>
    /// <exception cref="IOException">There is no connection, or its certificate is not trusted.</exception>
    public static async Task<SmtpSession> Open(string host, int port, SmtpSecurity security, X509Certificate2Collection authorities,
        CancellationToken ct)
    {
        var session = new SmtpSession(await Egress.Connect(host, port, ct), authorities);
        try
        {
            if (security == SmtpSecurity.Tls) await session.Encrypt(host, ct);
            Must(await session.Read(ct), 220);
            await session.Hello(ct);
            if (security != SmtpSecurity.StartTls) return session;
            if (!session.Abilities.Contains("STARTTLS", StringComparer.OrdinalIgnoreCase))
                throw new SmtpRefusedException($"{host} offers no STARTTLS, so nothing was sent.");
            Must(await session.Say("STARTTLS", ct), 220);
            // Whatever came before the encryption was not from whom we trust now.
            if (session._at < session._filled) throw new SmtpRefusedException($"{host} spoke before the encryption began.");
            await session.Encrypt(host, ct);
            await session.Hello(ct);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    async Task Encrypt(string host, CancellationToken ct)
    {
        var encrypted = new SslStream(_stream, leaveInnerStreamOpen: false);
        _stream = encrypted;
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            RemoteCertificateValidationCallback = ServerTrust.By(_authorities),
        };
        try { await encrypted.AuthenticateAsClientAsync(options, ct); }
        catch (AuthenticationException e)
        {
            throw new IOException($"The certificate of {host} is not trusted: {e.Message}. Nothing was sent.", e);
        }
    }

    async Task Hello(CancellationToken ct)
    {
        var name = Uri.CheckHostName(Environment.MachineName) == UriHostNameType.Dns ? Environment.MachineName : "localhost";
        var reply = Must(await Say($"EHLO {name}", ct), 250);
        Abilities = [.. reply.Text.Split('\n').Skip(1).Select(line => line.Trim())];
    }

    /// <summary>Says who we are. Never without encryption, but to this machine.</summary>
    public async Task SignIn(string user, string password, CancellationToken ct)
    {
        var ways = Abilities.FirstOrDefault(line => line.StartsWith("AUTH ", StringComparison.OrdinalIgnoreCase))?.Split(' ') ?? [];
        if (ways.Contains("PLAIN", StringComparer.OrdinalIgnoreCase))
        {
            Must(await Say($"AUTH PLAIN {Base64($"\0{user}\0{password}")}", ct), 235);
            return;
        }
        if (!ways.Contains("LOGIN", StringComparer.OrdinalIgnoreCase))
            throw new SmtpRefusedException("The server takes no user and password (neither AUTH PLAIN nor LOGIN).");
        Must(await Say("AUTH LOGIN", ct), 334);
        Must(await Say(Base64(user), ct), 334);
        Must(await Say(Base64(password), ct), 235);
    }

    /// <summary>Sends one mail to all, or to nobody: a second try must not reach some of them twice.</summary>
    /// <returns>The reply that took it.</returns>
    public async Task<SmtpReply> Send(string from, IReadOnlyList<string> to, string mail, CancellationToken ct)
    {
        Must(await Say($"MAIL FROM:<{from}>", ct), 250);
        foreach (var one in to)
        {
            var reply = await Say($"RCPT TO:<{one}>", ct);
            if (reply.Code is not (250 or 251)) throw new SmtpRefusedException($"{one}: {reply}");
        }
        Must(await Say("DATA", ct), 354);
        var lines = mail.ReplaceLineEndings("\r\n").Split("\r\n").Select(line => line.StartsWith('.') ? "." + line : line);
        await Write(string.Join("\r\n", lines).TrimEnd() + "\r\n.\r\n", ct);
        return Must(await Read(ct), 250);
    }

    /// <summary>Says goodbye; who does not answer is not waited for.</summary>
    public async Task Quit(CancellationToken ct)
    {
        try { await Say("QUIT", ct); }
        catch (Exception e) when (e is IOException or SmtpRefusedException or OperationCanceledException)
        {
            return;   // the mail is taken; a goodbye that is not answered changes nothing
        }
    }

    async Task<SmtpReply> Say(string line, CancellationToken ct)
    {
        if (line.AsSpan().IndexOfAny('\r', '\n') >= 0) throw new SmtpRefusedException("A line break in what was to be said.");
        await Write(line + "\r\n", ct);
        return await Read(ct);
    }

    async Task Write(string text, CancellationToken ct)
    {
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(text), ct);
        await _stream.FlushAsync(ct);
    }

    async Task<SmtpReply> Read(CancellationToken ct)
    {
        var words = new StringBuilder();
        while (true)
        {
            var line = await ReadLine(ct);
            if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), System.Globalization.CultureInfo.InvariantCulture, out var code))
                throw new SmtpRefusedException($"This is no reply of a mail server: '{line}'");
            if (words.Length > 0) words.Append('\n');
            words.Append(line.Length > 4 ? line[4..] : "");
            if (words.Length > LongestReply) throw new SmtpRefusedException("The reply does not end.");
            if (line.Length == 3 || line[3] != '-') return new SmtpReply(code, words.ToString());
        }
    }

    async Task<string> ReadLine(CancellationToken ct)
    {
        using var line = new MemoryStream();
        while (true)
        {
            for (; _at < _filled; _at++)
            {
                if (_buffer[_at] == '\n')
                {
                    _at++;
                    return string.Concat(Encoding.UTF8.GetString(line.ToArray()).Where(letter => !char.IsControl(letter)));
                }
                line.WriteByte(_buffer[_at]);
            }
            if (line.Length > LongestLine) throw new SmtpRefusedException("A line of the reply does not end.");
            (_at, _filled) = (0, await _stream.ReadAsync(_buffer, ct));
            if (_filled == 0) throw new IOException("The server closed the connection without a reply.");
        }
    }

    static SmtpReply Must(SmtpReply reply, int code) => reply.Code == code ? reply : throw new SmtpRefusedException(reply.ToString());

    static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    public ValueTask DisposeAsync() => _stream.DisposeAsync();
}
